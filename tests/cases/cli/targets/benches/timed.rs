//! A benchmark of libtest, with tests.
#[test]
fn clean_in_bench() {}

#[test]
fn leaks_in_bench() {
    targets::lose(7005);
}
