#![forbid(unsafe_code)]
//! What the compiler says of a wrong `#[heapcheck(..)]`: each file of `tests/cases/errors` has one mistake, and beside it
//! stands what is said of it.
//!
//! `TRYBUILD=overwrite` writes those files anew. The mark under the code belongs at the argument that is wrong.

#[test]
fn a_mistake_is_told_at_the_argument_that_is_wrong() {
    trybuild::TestCases::new().compile_fail("../tests/cases/errors/*.rs");
}
