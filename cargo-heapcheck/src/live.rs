#![forbid(unsafe_code)]
//! Shows what a test prints while it runs, without the lines of its harness.
//!
//! A test prints into a file, because a pipe could be kept open by a child of it. The file is looked at a few times a
//! second; what is left when the test has ended is shown then.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How libtest begins.
const HEAD: &str = "running 1 test\n";

/// A file that is being shown.
#[derive(Debug)]
pub(crate) struct Live {
    has_ended: Arc<AtomicBool>,
    shown: JoinHandle<usize>,
}

impl Live {
    /// Begins to show what the test `name` prints into `file`.
    pub(crate) fn begin(file: File, name: &str) -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        let (stop, own) = (Arc::clone(&has_ended), name.to_string());
        let shown = thread::spawn(move || {
            let mut output = Vec::new();
            let mut shown = 0;
            while !stop.load(Ordering::Acquire) {
                thread::park_timeout(LOOK_EVERY);
                if read_on(&file, &mut output).is_err() {
                    break;
                }
                let text = String::from_utf8_lossy(&output);
                let lines = whole_lines(&text, &own);
                show(lines.get(shown..).unwrap_or_default());
                shown = shown.max(lines.len());
            }
            shown
        });
        Self { has_ended, shown }
    }

    /// Shows the rest of what the test itself has printed, all of which is `output`.
    pub(crate) fn end(self, output: &str) {
        self.has_ended.store(true, Ordering::Release);
        self.shown.thread().unpark();
        let shown = self.shown.join().unwrap_or(0);
        show(output.get(shown..).unwrap_or_default());
    }
}

fn read_on(file: &File, output: &mut Vec<u8>) -> io::Result<()> {
    let mut more = [0; 1 << 14];
    loop {
        match file.read_at(&mut more, output.len() as u64)? {
            0 => return Ok(()),
            count => output.extend_from_slice(&more[..count]),
        }
    }
}

/// The lines between the head of the harness and its result, as far as they are complete.
fn whole_lines<'a>(text: &'a str, name: &str) -> &'a str {
    let Some((_, body)) = text.split_once(HEAD) else { return "" };
    let end = body.rfind(&format!("test {name} ")).unwrap_or(body.len());
    let end = body[..end].rfind('\n').map_or(0, |newline| newline + 1);
    &body[..end]
}

/// Shows what follows the first `shown` bytes of what a test has printed.
pub(crate) fn show_rest(output: &[u8], shown: usize) {
    // A reader that closes the pipe early has seen enough.
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(output.get(shown..).unwrap_or_default()).and_then(|()| stdout.flush());
}

fn show(text: &str) {
    show_rest(text.as_bytes(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_test_prints_is_shown() {
        let check = |text: &str, expected: &str| assert_eq!(whole_lines(text, "a::b"), expected);
        check("", "");
        check("\nrunning 1 test\n", "");
        check("\nrunning 1 test\nhello\nhalf", "hello\n");
        check("\nrunning 1 test\nhello\nhalftest a::b ... ok\n", "hello\n");
        check("\nrunning 1 test\nhello\ntest a::b - should panic ... ok\n", "hello\n");
    }
}
