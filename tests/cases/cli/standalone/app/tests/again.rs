//! Another test crate of the package, which links the runtime in for itself; twice, which is once too often.
heapcheck_rt::standalone!();
heapcheck_rt::standalone!();

#[heapcheck_rt::heapcheck]
#[test]
fn loses_what_an_integration_test_does() {
    app::lose(1005);
}
