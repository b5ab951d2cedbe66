//! Tests of another binary.
#[test]
fn clean_outside() {}

#[test]
fn leaks_outside() {
    shelf::leak(2004);
}
