#![forbid(unsafe_code)]
//! `--isolation=none`: all tests of a binary in one process, and still each leak is told under the name of its test.

use heapcheck_tests::fixture::Fixture;

#[test]
fn leaks_are_told_apart_by_the_threads_of_the_tests() {
    let fixture = Fixture::new("together");
    // libtest tells of ignored tests while others run, now before and now after the one that just ended.
    fixture.check("serial", "test --isolation=none --lib -- --test-threads=1 --skip ignored");
    fixture.check("report", "report");
    fixture.check(
        "some",
        "test --isolation none --lib -- leaks_here --test-threads=1 --skip thread --include-ignored",
    );
    fixture.check("clean", "test --isolation none --lib -- --test-threads=1 a_ allowed");
    fixture.check("nextest", "nextest run --isolation=none");
}

#[test]
fn parallel_tests_are_told_apart_every_time() {
    let fixture = Fixture::new("together");
    for _ in 0..5 {
        let output = fixture.command("test --isolation=none --lib -- --test-threads=8").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(101), "{text}");
        let mut leaked: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("    leaked: ")).collect();
        leaked.sort_unstable();
        // The first pool test may run last; then what the pool lost for the other belongs to nobody or to it.
        leaked.retain(|name| {
            !["together", "tests::a_first_one_starts_the_pool", "tests::pool_leaks"].contains(name)
        });
        let expected = [
            "tests::is_failed_by_its_attribute",
            "tests::leaks_here",
            "tests::leaks_here_too",
            "tests::leaks_here_too_and_in_a_thread",
        ];
        assert_eq!(leaked, expected, "{text}");
    }
}
