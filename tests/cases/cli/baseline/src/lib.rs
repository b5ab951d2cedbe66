//! Leaks that stay, grow, come and go, as the environment says.

/// Loses a block for each size.
pub fn lose(sizes: &[usize]) {
    for size in sizes {
        std::mem::forget(std::hint::black_box(vec![1u8; *size]));
    }
}

/// Whether the world is as `name` says.
pub fn is(name: &str) -> bool {
    std::env::var("WORLD").is_ok_and(|world| world == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows() {
        lose(if is("grown") { &[1001, 1002] } else { &[1001] });
    }

    #[test]
    fn comes() {
        lose(if is("new") { &[1003] } else { &[] });
    }

    #[test]
    fn goes() {
        lose(if is("fixed") { &[] } else { &[1004] });
    }
}
