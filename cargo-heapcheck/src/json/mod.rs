#![forbid(unsafe_code)]
//! The report for machines: written, and read again where runs of several machines are merged.

mod model;
mod write;
mod read;

pub(crate) use model::Outcome;
pub(crate) use read::read;
pub(crate) use write::{outcome, render};

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read and written again must be what it was: a merged report is made so.
    #[test]
    fn a_report_reads_back() {
        let frame = r#"{"function": "f", "file": "a.rs", "line": 1, "column": null, "inlined": false, "module": "m"}"#;
        let branch = r#"{"type": "T", "field": "a.b", "offset": 8, "place": null, "cycles": 0, "blocks": 1, "bytes": 2, "below": []}"#;
        let text = format!(
            r#"{{"version": 1, "tool": "heapcheck 0", "outcome": "leaked", "leaked_bytes": 7, "leaked_blocks": 2,
            "suppressed_bytes": 4,
            "tests": [
                {{"name": "a", "program": "p", "outcome": "leaked", "reason": null, "leaked_bytes": 7, "leaked_blocks": 2,
                  "suppressed_bytes": 4, "in_use_bytes": 70, "in_use_blocks": 5,
                  "took_ms": 12, "output": "hello"}},
                {{"name": "b", "program": "p", "outcome": "timed-out", "reason": null, "leaked_bytes": 0,
                  "leaked_blocks": 0, "suppressed_bytes": 0, "in_use_bytes": null, "in_use_blocks": null, "took_ms": null, "output": null}}],
            "programs": [{{"name": null, "program": "q", "outcome": "no-verdict", "reason": "why", "leaked_bytes": 0,
                  "leaked_blocks": 0, "suppressed_bytes": 0, "in_use_bytes": null, "in_use_blocks": null, "took_ms": null, "output": null}}],
            "leaks": [{{"kind": "cycle", "bytes": 7, "blocks": 2, "retained_bytes": 2, "retained_blocks": 1,
                "largest_bytes": 4, "instances": 1, "owned": false, "type": "Rc<T>", "type_full": "a::Rc<T>", "program": "p", "test": "a",
                "thread": "main", "own_thread": true, "threads": 1, "also": [{{"place": "x", "blocks": 1}}], "held_by": {{"root": "static", "offset": 8, "omitted": 2, "omitted_before": 1, "blocks": [{{"type": "T",
                "bytes": 3, "place": "x", "offset": null, "field": null}}]}}, "help": ["h"], "signature": "s",
                "truncated": true, "own": 0, "structure": false, "members": [{{"bytes": 4, "type": "T", "place": "x", "offset": 1,
                "field": "f", "raw": true, "alike": 1}}], "others": [{branch}], "kept": [{branch}], "trace": [{frame}]}}],
            "excused": [{{"excuse": {{"by": "suppression", "source": "s", "reason": "r"}}, "kind": "direct", "bytes": 4,
                "blocks": 1, "type": null, "function": "f", "place": "x", "program": "p", "test": "a", "signature": null}}],
            "faults": [{{"what": "double free", "bytes": 3, "program": "p", "test": "a",
                "stacks": [{{"what": "freed here", "trace": [{frame}]}}]}}],
            "notes": [{{"program": "p", "test": "a", "text": "n"}}]}}"#
        );
        let again = render(&read(&text).unwrap());
        let value = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            // Who wrote it is not what was found.
            value["tool"].take();
            value["outcome"].take();
            value
        };
        assert_eq!(value(&again), value(&text));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let newer = r#"{"version": 2, "tool": "", "outcome": "clean", "leaked_bytes": 0, "leaked_blocks": 0,
            "suppressed_bytes": 0, "tests": [], "programs": [], "leaks": [], "excused": [], "faults": [], "notes": []}"#;
        assert!(read(newer).is_err_and(|why| why.contains("version 2")));
        for text in ["", "{}", "[]", "{\"version\": 1}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
