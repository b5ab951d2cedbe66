#![forbid(unsafe_code)]
//! Runs a built case once: under the runtime, in a scrubbed environment, in a folder of its own, within a time limit.
//!
//! The output goes to files, not pipes: a grandchild that outlives the case would keep a pipe open for ever.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::build::corpus;
use crate::case::{Exit, Run};
use crate::judge::Observed;
use crate::outcome::read_outcome;

/// After this a case is taken to hang. No case takes a tenth of it, but a machine may be crowded.
pub const TIME_LIMIT: Duration = Duration::from_secs(600);

/// The environment that a program gets besides what its case says.
const ENVIRONMENT_KEPT: &[&str] = &["PATH", "HOME", "LANG", "USER"];

/// A built case.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub executable: PathBuf,
    /// The shared library it asked for.
    pub library: Option<PathBuf>,
    /// The runtime to inject, if any.
    pub runtime: Option<PathBuf>,
}

/// Runs `program` as `run` says, in a fresh folder below `scratch`.
pub fn run_case(program: &Program, run: &Run, scratch: &Path) -> Result<Observed, String> {
    // Not named after this process: one that was killed may have had its number, and left records.
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(scratch);
    let folder = folder.map_err(|error| format!("{}: {error}", scratch.display()))?;
    let failed = |error| format!("{}: {error}", folder.path().display());
    run_in(program, run, folder.path()).map_err(failed)?
}

fn run_in(program: &Program, run: &Run, folder: &Path) -> io::Result<Result<Observed, String>> {
    let records = folder.join("records");
    fs::create_dir_all(&records)?;
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let mut command = command_of(program, run);
    command
        .env_clear()
        .envs(ENVIRONMENT_KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("TMPDIR", folder)
        .env("HEAPCHECK_OUT", &records)
        .env("HEAPCHECK_REPORT", "none")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?);
    if let Some(library) = &program.library {
        command.env("CASE_LIBRARY", library);
    }
    if let (Some(runtime), None) = (&program.runtime, &run.under) {
        command.env("LD_PRELOAD", runtime);
    }
    for (name, value) in &run.env {
        let value = value.replace("$CORPUS", &corpus().to_string_lossy());
        command.env(name, value.replace("$TMP", &folder.to_string_lossy()));
    }
    let (pid, exit) = wait_within(command, TIME_LIMIT)?;
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (stdout, stderr) = (read(&stdout)?, read(&stderr)?);
    let exit = exit.map(|status| match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Status(status.code().unwrap_or_default()),
    });
    Ok(read_outcome(&records).map(|processes| Observed { pid, exit, stdout, stderr, processes }))
}

/// The command line: the program itself, or the wrapper that is told to put the runtime into the program only.
fn command_of(program: &Program, run: &Run) -> Command {
    let preload = program.runtime.as_ref().map_or(String::new(), |path| path.to_string_lossy().into_owned());
    let mut command = match run.under.as_deref() {
        None => Command::new(&program.executable),
        Some("gdb") => {
            let mut gdb = Command::new("gdb");
            gdb.args(["-q", "-nx", "-batch", "-return-child-result", "-ex", "set startup-with-shell off"]);
            gdb.arg("-ex").arg(format!("set environment LD_PRELOAD={preload}"));
            gdb.args(["-ex", "run", "--args"]).arg(&program.executable);
            gdb
        }
        Some("strace") => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-E"]).arg(format!("LD_PRELOAD={preload}"));
            strace.arg(&program.executable);
            strace
        }
        Some(_) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -v 2000000; export LD_PRELOAD=\"$0\"; exec \"$@\""]);
            shell.arg(preload).arg(&program.executable);
            shell
        }
    };
    command.args(&run.args);
    command
}

/// Waits for the command's end, and gives the number of its process. `None`: it had to be killed.
fn wait_within(mut command: Command, limit: Duration) -> io::Result<(u32, Option<ExitStatus>)> {
    let mut child = command.spawn()?;
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((child.id(), Some(status)));
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Ok((child.id(), None));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("100");
        assert!(wait_within(sleep, Duration::from_millis(30)).unwrap().1.is_none());
        assert_eq!(wait_within(Command::new("false"), TIME_LIMIT).unwrap().1.unwrap().code(), Some(1));
    }
}
