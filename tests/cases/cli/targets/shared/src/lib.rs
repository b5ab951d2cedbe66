//! A dynamic library of Rust.

/// Loses a block of a size that tells which.
#[inline(never)]
pub fn lose_in_library(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[test]
fn clean_in_dylib() {}

#[test]
fn leaks_in_dylib() {
    lose_in_library(7009);
}
