//! Tests of the library.

/// Loses a block of a size that tells which.
pub fn leak(bytes: usize) {
    let block = std::hint::black_box(vec![1u8; bytes]);
    std::mem::forget(block);
}

/// A doctest that is clean.
/// ```
/// assert_eq!(kinds::double(2), 4);
/// ```
///
/// And one that leaks.
/// ```
/// kinds::leak(1009);
/// ```
pub fn double(number: u32) -> u32 {
    number * 2
}

#[cfg(test)]
mod tests {
    use super::leak;

    #[test]
    fn clean() {}

    #[test]
    fn leaks() {
        leak(1001);
    }

    #[test]
    fn fails() {
        println!("about to fail");
        panic!("as it should");
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn panics_on_purpose() {
        panic!("on purpose");
    }

    #[test]
    #[should_panic]
    fn panics_and_leaks() {
        leak(1002);
        panic!("on purpose");
    }

    #[test]
    #[ignore]
    fn ignored_and_leaks() {
        leak(1003);
    }

    #[test]
    fn returns_a_result() -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn exits_with_0() {
        std::process::exit(0);
    }

    #[test]
    fn aborts() {
        std::process::abort();
    }

    #[test]
    fn leaks_in_a_thread() {
        std::thread::spawn(|| leak(1004)).join().unwrap();
    }

    #[test]
    fn speaks() {
        println!("spoken");
    }
}
