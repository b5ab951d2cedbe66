//! An example with tests.
#[test]
fn clean_in_example() {}

#[test]
fn leaks_in_example() {
    targets::lose(7004);
}

#[allow(dead_code)]
fn main() {}
