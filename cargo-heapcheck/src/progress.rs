#![forbid(unsafe_code)]
//! How far the tests of a harness are, on a terminal, and only while nothing else has been written for a while.
//!
//! The line stands where the next result will be written, so it is taken away before a test is told.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::counted;

const QUIET_BEFORE: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Back to the margin, and clear (ECMA-48 `EL`).
const CLEAR: &str = "\r\x1b[K";

/// The counts, and the line that shows them.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    done: u64,
    all: u64,
    leaked: u64,
    told_at: Instant,
    is_shown: bool,
}

impl Progress {
    /// Begins with this many tests to run. The line is shown on a terminal, where `is_wanted`.
    pub(crate) fn begin(all: usize, is_wanted: bool) -> Self {
        let state = State { done: 0, all: all as u64, leaked: 0, told_at: Instant::now(), is_shown: false };
        let state = Arc::new(Mutex::new(state));
        if is_wanted && io::stderr().is_terminal() {
            let watched = Arc::downgrade(&state);
            thread::spawn(move || watch(&watched));
        }
        Self { state }
    }

    /// Counts a test that has ended, and whose result will be written now.
    pub(crate) fn ended(&self, has_leaked: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += 1;
        state.leaked += u64::from(has_leaked);
        state.told_at = Instant::now();
        if std::mem::take(&mut state.is_shown) {
            show(CLEAR);
        }
    }
}

fn watch(state: &Weak<Mutex<State>>) {
    loop {
        thread::sleep(LOOK_EVERY);
        let Some(state) = state.upgrade() else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_shown && state.done < state.all && state.told_at.elapsed() > QUIET_BEFORE {
            state.is_shown = true;
            show(&format!("{CLEAR}{}", state.line()));
        }
    }
}

impl State {
    fn line(&self) -> String {
        let leaked = match self.leaked {
            0 => String::new(),
            leaked => format!(", {leaked} leaked"),
        };
        format!("     Checking {} of {}{leaked}", self.done, counted(self.all, "test"))
    }
}

fn show(text: &str) {
    // A terminal that is gone needs no progress.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let state = |done, leaked| State { done, all: 12, leaked, told_at: Instant::now(), is_shown: false };
        assert_eq!(state(3, 0).line(), "     Checking 3 of 12 tests");
        assert_eq!(state(3, 2).line(), "     Checking 3 of 12 tests, 2 leaked");
    }
}
