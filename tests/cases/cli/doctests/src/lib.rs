//! Functions whose examples end in every way.

/// Loses a block of a size that tells which.
pub fn leak(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

/// ```
/// assert_eq!(1 + 1, 2);
/// ```
pub fn clean() {}

/// ```
/// doctests::leak(5001);
/// ```
pub fn leaks() {}

/// ```should_panic
/// panic!("on purpose");
/// ```
pub fn panics() {}

/// ```should_panic
/// doctests::leak(5002);
/// panic!("on purpose");
/// ```
pub fn panics_and_leaks() {}

/// ```
/// panic!("by accident");
/// ```
pub fn fails() {}

/// ```
/// doctests::no_such_function();
/// ```
pub fn does_not_compile() {}

/// ```no_run
/// loop {}
/// ```
pub fn is_only_compiled() {}
