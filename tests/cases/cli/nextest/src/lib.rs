//! Four tests, of which one leaks always, and one only when it is tried for the first time.

/// Loses a block of a size that tells which.
pub fn leak(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[cfg(test)]
mod tests {
    use super::leak;

    #[test]
    fn clean() {
        println!("clean speaks");
    }

    #[test]
    fn leaks() {
        leak(2001);
    }

    #[test]
    fn leaks_at_first() {
        if std::env::var("NEXTEST_ATTEMPT").as_deref() == Ok("1") {
            leak(2002);
        }
    }

    #[test]
    #[ignore]
    fn ignored_and_leaks() {
        leak(2003);
    }
}
