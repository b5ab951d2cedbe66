//! A test against the dynamic library.
#[test]
fn clean_through_dylib() {}

#[test]
fn leaks_through_dylib() {
    shared::lose_in_library(7010);
}
