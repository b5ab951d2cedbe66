#![forbid(unsafe_code)]
//! What tests printed that did not pass: kept in the folder of the run, for reports that are written later.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use crate::figures::counted;
use crate::run::Run;

/// Of more than this the beginning and the end are kept, half of it each.
const BYTES_MAX: usize = 64 << 10;

/// Keeps what a test of a program has printed.
pub(crate) fn keep(run: &Run, program: &str, test: &str, text: &str) {
    // Without it reports lack what the terminal has shown.
    let _ = fs::write(path(run, program, test), shortened(text));
}

/// What was kept; `None` when it is nothing.
pub(crate) fn read(run: &Run, program: &str, test: &str) -> Option<String> {
    fs::read_to_string(path(run, program, test)).ok().filter(|text| !text.is_empty())
}

fn path(run: &Run, program: &str, test: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (program, test).hash(&mut hasher);
    run.path.join(format!("printed-{:016x}", hasher.finish()))
}

fn shortened(text: &str) -> String {
    if text.len() <= BYTES_MAX {
        return text.to_string();
    }
    let boundary =
        |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (head, tail) = (boundary(BYTES_MAX / 2), boundary(text.len() - BYTES_MAX / 2));
    let left_out = counted((tail - head) as u64, "byte");
    format!("{}\n[heapcheck: {left_out} left out]\n{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_text_both_ends_are_kept() {
        let run = Run { path: tempfile::tempdir().unwrap().keep() };
        let text = format!("begin {} end", "ü".repeat(BYTES_MAX));
        keep(&run, "app", "a", &text);
        keep(&run, "app", "b", "");
        let kept = read(&run, "app", "a").unwrap();
        assert!(kept.starts_with("begin ü") && kept.ends_with("ü end") && kept.len() < BYTES_MAX + 100);
        assert!(kept.contains("\n[heapcheck: 65,54"), "{}", &kept[BYTES_MAX / 2..][..100]);
        assert_eq!((read(&run, "app", "b"), read(&run, "other", "a")), (None, None));
        fs::remove_dir_all(run.path).unwrap();
    }
}
