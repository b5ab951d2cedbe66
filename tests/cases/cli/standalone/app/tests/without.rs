//! A test crate of the same package that does not ask for the runtime.
#[heapcheck_rt::heapcheck]
#[test]
fn is_not_checked() {
    assert!(!heapcheck_rt::is_active());
    app::lose(1006);
}
