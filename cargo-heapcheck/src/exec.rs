#![forbid(unsafe_code)]
//! `exec`: runs any program under the runtime, and tells what it leaked.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::binary::absolute;
use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::explain::explain;
use crate::home::Home;
use crate::human;
use crate::injection::Injection;
use crate::look::Asked;
use crate::run::Run;
use crate::symbols::Symbols;
use crate::verdict::{Verdict, judge};

/// What to run.
#[derive(Debug)]
pub(crate) struct Exec {
    /// The folder of the tool.
    pub(crate) home: Home,
    /// How the runtime gets into it.
    pub(crate) injection: Injection,
    /// How the report looks.
    pub(crate) asked: Asked,
    /// Where the program lies.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
}

impl Exec {
    /// Runs it, and answers the exit code.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        let path = &self.program;
        let run = Run::begin(&self.home)?;
        let unit = run.add_unit("program", &absolute(path), None)?;
        let mut command = Command::new(path);
        command.args(&self.arguments);
        self.injection.apply(&mut command, &unit.path);
        let started = command.spawn().and_then(|mut child| Ok((child.id(), child.wait()?)));
        let (pid, status) = started.map_err(|error| cannot_run(&path.to_string_lossy(), &error))?;
        let records = unit.read_records()?;
        let verdict = judge(&records, Some(pid), path, Some(status));
        let explained = explain(&unit, &records, verdict, &mut Symbols::default());
        if explained.verdict != Verdict::Clean {
            let more = if explained.verdict == Verdict::Leaked { human::more() } else { String::new() };
            eprint!("\n{}{more}", human::render(&explained, self.asked.on_stderr()));
        }
        Ok(match (own_code(status), explained.verdict) {
            (0, Verdict::Clean) => Ending::Clean.code(),
            (0, Verdict::Leaked) => Ending::Leaked.code(),
            (0, Verdict::None(_)) => Ending::NoVerdict.code(),
            (code, _) => code,
        })
    }
}

/// The code that a shell would give for it.
fn own_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

fn cannot_run(program: &str, error: &std::io::Error) -> Complaint {
    Complaint::usage(format!("cannot run `{program}`: {error}"))
}

/// Finds what the shell would run.
pub(crate) fn find_program(name: &OsString) -> Result<PathBuf, Complaint> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                Err(Complaint::usage(format!("cannot run `{}`: it is a folder", path.display())))
            }
            Ok(_) => Ok(path.to_path_buf()),
            Err(error) => Err(cannot_run(&path.to_string_lossy(), &error)),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(path)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Complaint::usage(format!("cannot find the program `{}` in PATH", path.display()))
            .hint(format!("for a program in this folder type `./{}`", path.display()))
    })
}
