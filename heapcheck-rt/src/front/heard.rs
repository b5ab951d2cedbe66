#![forbid(unsafe_code)]
//! What libtest says of the one test that it ran, and what of its output is the test's own.

const HEAD: &[u8] = b"running 1 test\n";
const SUM: &[u8] = b"test result: ok. 1 passed;";
/// What stands behind a name where the harness expects something of the test.
const REMARKS: [&[u8]; 3] = [b"", b" - should panic", b" - compile fail"];

/// Whether the harness says that the test has passed, and nothing else has run. That its process ends well is not enough:
/// it does with `exit(0)` in a test, too.
pub fn has_passed(output: &[u8], name: &[u8]) -> bool {
    let is_told =
        REMARKS.iter().any(|remark| first(output, &[b"test ", name, remark, b" ... ok\n"]).is_some());
    is_told && first(output, &[SUM]).is_some()
}

/// What the test itself printed.
pub fn own<'o>(output: &'o [u8], name: &[u8]) -> &'o [u8] {
    let body = body(output).unwrap_or(output);
    let ends = REMARKS[..2].iter().filter_map(|remark| last(body, &[b"test ", name, remark, b" ... "]));
    &body[..ends.max().unwrap_or(body.len())]
}

/// What it has printed so far in whole lines.
pub fn own_lines<'o>(output: &'o [u8], name: &[u8]) -> &'o [u8] {
    let Some(body) = body(output) else { return &[] };
    let end = last(body, &[b"test ", name, b" "]).unwrap_or(body.len());
    let end = body[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    &body[..end]
}

fn body(output: &[u8]) -> Option<&[u8]> {
    first(output, &[HEAD]).map(|at| &output[at + HEAD.len()..])
}

/// Where all `parts` stand one behind the other for the first time.
fn first(text: &[u8], parts: &[&[u8]]) -> Option<usize> {
    (0..text.len()).find(|at| begins(&text[*at..], parts))
}

fn last(text: &[u8], parts: &[&[u8]]) -> Option<usize> {
    (0..text.len()).rev().find(|at| begins(&text[*at..], parts))
}

fn begins(mut text: &[u8], parts: &[&[u8]]) -> bool {
    parts.iter().all(|part| {
        text.strip_prefix(*part).is_some_and(|rest| {
            text = rest;
            true
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\nrunning 1 test\nhello\ntest a::b ... ok\n\ntest result: ok. 1 passed; 0 failed;";

    #[test]
    fn a_test_passes_only_when_its_harness_says_so() {
        let check = |output: &str, passes: bool| {
            assert_eq!(has_passed(output.as_bytes(), b"a::b"), passes, "{output}");
        };
        check(GOOD, true);
        check(&GOOD.replace("a::b ...", "a::b - should panic ..."), true);
        check("\nrunning 1 test\n", false);
        check("", false);
        check(&GOOD.replace("1 passed", "0 passed"), false);
        check(&GOOD.replace("a::b", "a::bc"), false);
        check(&GOOD.replace("... ok", "... FAILED"), false);
        check(&GOOD.replace("result: ok", "result: FAILED"), false);
    }

    #[test]
    fn only_what_the_test_prints_is_shown() {
        let check = |output: &str, lines: &str, all: &str| {
            assert_eq!(own_lines(output.as_bytes(), b"a::b"), lines.as_bytes(), "{output:?}");
            assert_eq!(own(output.as_bytes(), b"a::b"), all.as_bytes(), "{output:?}");
        };
        check("", "", "");
        check("\nrunning 1 test\n", "", "");
        check("\nrunning 1 test\nhello\nhalf", "hello\n", "hello\nhalf");
        check("\nrunning 1 test\nhello\nhalftest a::b ... ok\n", "hello\n", "hello\nhalf");
        check("\nrunning 1 test\nhello\ntest a::b - should panic ... ok\n", "hello\n", "hello\n");
        check(GOOD, "hello\n", "hello\n");
    }
}
