#![forbid(unsafe_code)]
//! The examples: each passes under plain `cargo test`, and under the tool it tells its story.

use std::path::Path;

use heapcheck_tests::fixture::{Fixture, scrubbed};

fn check(name: &'static str) {
    let fixture = Fixture::of_example(name);
    let mut plain = scrubbed(Path::new(env!("CARGO")), fixture.path());
    let plain = plain.args(["test", "-q", "--target-dir", "target/plain"]).output().unwrap();
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stdout));
    assert_eq!(String::from_utf8_lossy(&plain.stderr), "", "{name} builds without a warning");
    fixture.check("test", "test --lib -q -- --test-threads=1");
}

#[test]
fn a_string_that_c_was_given_is_taken_back_by_nobody() {
    check("ffi_string");
}

#[test]
fn a_cache_grows_although_nothing_is_lost() {
    check("growing_cache");
}

#[test]
fn an_observer_owns_what_it_observes() {
    check("observer");
}

#[test]
fn a_task_waits_for_itself() {
    check("async_task");
}
