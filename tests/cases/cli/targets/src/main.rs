//! A program with tests.
#[test]
fn clean_in_bin() {}

#[test]
fn leaks_in_bin() {
    targets::lose(7002);
}

fn main() {}
