//! The library.

/// Loses a block of a size that tells which.
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[test]
fn clean_in_lib() {}

#[test]
fn leaks_in_lib() {
    lose(7001);
}
