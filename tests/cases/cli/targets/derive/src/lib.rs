//! A macro.

#[test]
fn clean_in_macro() {}

#[test]
fn leaks_in_macro() {
    std::mem::forget(std::hint::black_box(vec![1u8; 7008]));
}
