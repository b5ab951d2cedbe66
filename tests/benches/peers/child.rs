#![expect(unsafe_code, reason = "wait4 and the monotonic clock have no safe form in std")]
//! One run of a program: its wall time, processor time, peak memory and what it said.
//!
//! std's `wait` gives no rusage, so the child is waited for with wait4(2), which reaps it: std's handle is not used
//! for waiting again (dropping it does not wait). The clock is CLOCK_MONOTONIC, the one the programs print.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// What one run took.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sample {
    pub(crate) wall_ns: f64,
    pub(crate) cpu_ns: f64,
    pub(crate) rss_kib: f64,
    /// From the last line of main to the end of the process.
    pub(crate) leave_ns: f64,
    /// The leak phase by the checker's own account, where it gives one.
    pub(crate) phase_ns: Option<f64>,
    lines: Vec<(String, f64)>,
}

impl Sample {
    /// A figure that the program printed itself.
    pub(crate) fn line(&self, name: &str) -> Option<f64> {
        self.lines.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

/// Runs the command to its end; the exit status is the caller's to judge.
pub(crate) fn run(command: &mut Command, stderr: &Path) -> Result<(ExitStatus, Sample), String> {
    let said =
        |what: &str, error: std::io::Error| format!("{what} {command:?}: {error}", command = "program");
    let stderr = File::create(stderr).map_err(|error| said("cannot write what is said by", error))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let start_ns = monotonic_ns();
    let mut child =
        command.spawn().map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .expect("stdout is a pipe")
        .read_to_string(&mut stdout)
        .map_err(|error| said("cannot read from", error))?;
    let (status, usage) = wait(child.id())?;
    let end_ns = monotonic_ns();
    let lines: Vec<(String, f64)> = stdout
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect();
    let mut sample = Sample {
        wall_ns: (end_ns - start_ns) as f64,
        cpu_ns: micros(usage.ru_utime) + micros(usage.ru_stime),
        rss_kib: usage.ru_maxrss as f64,
        leave_ns: 0.0,
        phase_ns: None,
        lines,
    };
    if let Some(main_end_ns) = sample.line("end_ns") {
        sample.leave_ns = end_ns as f64 - main_end_ns;
    }
    Ok((status, sample))
}

fn micros(time: libc::timeval) -> f64 {
    (time.tv_sec as f64 * 1e6 + time.tv_usec as f64) * 1e3
}

fn wait(pid: u32) -> Result<(ExitStatus, libc::rusage), String> {
    let mut status = 0;
    // SAFETY: rusage is plain numbers; all zero is a value of it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to locals; the pid is a child of ours that nobody else waits for.
        let reaped = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, &mut usage) };
        if reaped == pid as libc::pid_t {
            return Ok((ExitStatus::from_raw(status), usage));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(format!("cannot wait for process {pid}: {error}"));
        }
    }
}

fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux and `now` is a timespec to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
