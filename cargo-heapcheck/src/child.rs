#![forbid(unsafe_code)]
//! A child process from its start to its end, which comes by itself or when its time is over.
//!
//! With a time limit it leads a process group of its own, so that what it has started ends with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::config::quantity::Timeout;

/// How long to sleep between two looks where the kernel can't tell of the end of a process.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its number.
    pub(crate) pid: u32,
    /// Its status.
    pub(crate) status: ExitStatus,
    /// Whether it was ended because its time was over.
    pub(crate) is_timed_out: bool,
    /// How long it ran.
    pub(crate) took: Duration,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, timeout: Timeout) -> io::Result<Ended> {
    let began = Instant::now();
    let mut is_timed_out = false;
    let mut child = match timeout.0 {
        None => command.spawn()?,
        Some(limit) => {
            let mut child = command.process_group(0).spawn()?;
            is_timed_out = !ends_within(&mut child, limit)?;
            if is_timed_out {
                // It fails only when the whole group has ended meanwhile.
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            }
            child
        }
    };
    let status = child.wait()?;
    Ok(Ended { pid: child.id(), status, is_timed_out, took: began.elapsed() })
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ends_within(child: &mut Child, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now().checked_add(limit);
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok();
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        match &pidfd {
            Some(pidfd) => {
                let time = left.and_then(|left| Timespec::try_from(left).ok());
                // An interrupted wait is followed by another look.
                let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], time.as_ref());
            }
            None => std::thread::sleep(LOOK_EVERY.min(left.unwrap_or(LOOK_EVERY))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_ends_by_itself_or_with_its_group() {
        let limit = |millis| Timeout(Some(Duration::from_millis(millis)));
        let ended = run(Command::new("sh").args(["-c", "exit 3"]), limit(60_000)).unwrap();
        assert_eq!((ended.status.code(), ended.is_timed_out), (Some(3), false));
        // The inner sleep would hold the pipe open if it outlived its parent.
        let run_for = |millis| {
            let mut output = tempfile::tempfile().unwrap();
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(output.try_clone().unwrap());
            let ended = run(&mut command, limit(millis)).unwrap();
            assert!(ended.is_timed_out && ended.took < Duration::from_secs(300));
            io::Seek::rewind(&mut output).unwrap();
            io::read_to_string(output).unwrap()
        };
        // On a crowded machine the shell may be killed before it has got that far.
        let inner = [300, 3_000, 30_000].into_iter().map(run_for).find(|told| told.ends_with('\n')).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", inner.trim())).unwrap_or_default();
        // A process that was killed takes its time to be gone.
        let begun = Instant::now();
        loop {
            let state = state();
            if state.is_empty() || state.contains(") Z ") {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(300), "{state}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
