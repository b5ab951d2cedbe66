#![forbid(unsafe_code)]
//! Ctrl-C and `kill`: whatever was started ends first, then what is known is told.
//!
//! A terminal sends SIGINT to the whole foreground group, so there it has reached everybody already; nextest would take a
//! second one as the wish to stop at once. A signal that was sent to one process is handed on.

use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What came.
#[derive(Debug)]
pub(crate) struct Interrupts {
    last: Arc<AtomicI32>,
}

impl Interrupts {
    /// Lets this process live on when it is told to end, and ends what it has started.
    pub(crate) fn catch() -> io::Result<Self> {
        let last = Arc::new(AtomicI32::new(0));
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let seen = Arc::clone(&last);
        thread::spawn(move || {
            for signal in &mut signals {
                seen.store(signal, Ordering::Release);
                if signal != SIGINT || !io::stdin().is_terminal() {
                    hand_on(signal);
                }
            }
        });
        Ok(Self { last })
    }

    /// The exit code, when this process was told to end: the one that a shell gives. What it started may have got the
    /// same signal earlier, and ended by it.
    pub(crate) fn code(&self, started: ExitStatus) -> Option<u8> {
        let own = self.last.load(Ordering::Acquire);
        let signal =
            if own > 0 { own } else { started.signal().filter(|s| [SIGINT, SIGTERM].contains(s))? };
        u8::try_from(signal).ok().filter(|signal| *signal > 0).map(|signal| 128 + signal)
    }
}

/// Makes this process, when it is told to end, end what it has started, and then itself. Tests with a time limit are in
/// groups of their own, which a terminal does not reach.
pub(crate) fn end_children_first() -> io::Result<Told> {
    let told = Told::default();
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&told.0))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            hand_on(signal);
            // It returns only when it could do nothing.
            let _ = emulate_default_handler(signal);
            std::process::exit(128 + signal);
        }
    });
    Ok(told)
}

/// How much later than what it has started this process may hear of a signal that was sent to both.
const LATER: Duration = Duration::from_secs(1);

/// Whether this process was told to end: then it is about to, as soon as what it has started has got the signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<AtomicBool>);

impl Told {
    /// Returns unless this process is about to end. What has ended because of that is not to be judged: it did not fail.
    pub(crate) fn hold(&self, ended: ExitStatus) {
        let may_be = ended.signal().is_some_and(|signal| [SIGINT, SIGTERM].contains(&signal));
        let until = Instant::now() + if may_be { LATER } else { Duration::ZERO };
        loop {
            while self.0.load(Ordering::SeqCst) {
                thread::park();
            }
            if Instant::now() >= until {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Sends a signal to everything below this process.
fn hand_on(signal: i32) {
    let signal = if signal == SIGINT { Signal::INT } else { Signal::TERM };
    for pid in descendants(std::process::id()) {
        // It may have ended meanwhile.
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The processes below one, as proc(5) lists them for each thread.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut at = 0;
    let mut of = pid;
    loop {
        let threads = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
        match found.get(at) {
            Some(next) => of = *next,
            None => return found,
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_who_was_told_to_end() {
        let told = Told::default();
        told.hold(ExitStatus::from_raw(9));
        told.0.store(true, Ordering::SeqCst);
        for status in [0, SIGTERM] {
            let told = told.clone();
            let held = thread::spawn(move || told.hold(ExitStatus::from_raw(status)));
            thread::sleep(Duration::from_millis(50));
            assert!(!held.is_finished());
        }
    }

    #[test]
    fn children_of_children_are_found() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let below = loop {
            let below = descendants(child.id());
            if !below.is_empty() {
                break below;
            }
            thread::yield_now();
        };
        assert!(descendants(std::process::id()).contains(&below[0]));
        for pid in below {
            kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        }
        child.wait().unwrap();
    }
}
