//! Tests of the library, and doctests.

/// Loses a block of a size that tells which.
/// ```
/// linked::leak(3001);
/// ```
///
/// ```
/// assert_eq!(1 + 1, 2);
/// ```
pub fn leak(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[test]
fn clean() {
    let list = std::thread::spawn(|| vec![String::from("a"); 9]).join().unwrap();
    assert_eq!(list.len(), 9);
}

#[test]
fn leaks() {
    leak(3002);
}
