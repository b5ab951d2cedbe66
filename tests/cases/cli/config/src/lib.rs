//! Tests that see what the person has set, and nothing of ours.
#![allow(unexpected_cfgs)]

#[test]
fn flags_arrive() {
    assert!(cfg!(user_flag));
}

#[test]
fn the_environment_is_the_persons() {
    for name in ["__HEAPCHECK", "RUSTC_WRAPPER", "RUSTDOC", "CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"] {
        assert_eq!(std::env::var_os(name), None, "{name}");
    }
}

#[test]
fn leaks_with_names_and_lines() {
    std::mem::forget(std::hint::black_box(vec![1u8; 1011]));
}

#[test]
fn the_runner_of_the_person_runs_too() {
    assert_eq!(std::env::var("USER_RUNNER").as_deref(), Ok("1"));
}
