//! An integration test.
#[test]
fn clean_in_integration() {}

#[test]
fn leaks_in_integration() {
    targets::lose(7003);
}
