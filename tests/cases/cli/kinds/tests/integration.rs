//! An integration test, which runs the program of its package.
#[test]
fn runs_the_program() {
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_kinds")).arg("3").status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn leaks_from_outside() {
    kinds::leak(1007);
}
