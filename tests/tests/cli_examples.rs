#![forbid(unsafe_code)]
//! The examples: under the tool each tells its story. Under plain `cargo test` all pass but the one that links the runtime
//! in.

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

#[test]
fn a_transaction_is_forgotten_with_all_that_it_holds() {
    if !cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
        println!("skipped: the runtime can't be linked into tests here");
        return;
    }
    let fixture = Fixture::of_example("transaction");
    let mut plain = scrubbed(Path::new(env!("CARGO")), fixture.path());
    plain.env("TMPDIR", fixture.path()).args(["test", "-q", "--target-dir", "target/plain"]);
    let tool = fixture.command("test --lib -q");
    for (mut command, code, wanted) in [
        (
            plain,
            101,
            &[
                "heapcheck: this test fails: it leaked 110 bytes in 2 blocks",
                "error: leaked: 96 bytes in 1 block, keeping alive 14 bytes in 1 block\n  --> src/lib.rs:23:18\n",
                "23 |         self.log.push(format!(\"insert {row}\"));\n   |                  ^^^^ allocated here\n",
                "     > transaction::Transaction::insert  src/lib.rs:23\n",
                "test result: FAILED. 1 passed; 1 failed;",
            ][..],
        ),
        (
            tool,
            23,
            &[
                "error: leaked `Vec<String>`: 110 bytes in 2 blocks",
                "`tests::what_is_committed_stays` leaked 110 bytes",
            ],
        ),
    ] {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "no `{wanted}` in\n{text}"));
    }
}
