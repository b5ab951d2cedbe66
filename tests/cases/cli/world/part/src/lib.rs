//! Loses blocks for others.

/// Loses a block of a size that tells which.
#[inline(never)]
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}
