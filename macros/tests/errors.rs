#![forbid(unsafe_code)]
//! What the compiler says of `#[heapcheck(..)]`: each file of `tests/cases/errors` has one mistake, and beside it stands what is
//! said of it. Those of `tests/cases/signatures` have none.
//!
//! `TRYBUILD=overwrite` writes those files anew. The mark under the code belongs at the argument that is wrong.

#[test]
fn a_mistake_is_told_at_the_argument_that_is_wrong_and_no_other() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("../tests/cases/errors/*.rs");
    cases.pass("../tests/cases/signatures/*.rs");
}
