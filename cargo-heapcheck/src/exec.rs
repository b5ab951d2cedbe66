#![forbid(unsafe_code)]
//! `exec`: runs any program under the runtime, and tells what it leaked.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::binary::absolute;
use crate::child::{self, Ended, milliseconds};
use crate::complaint::Complaint;
use crate::config::plan::Plan;
use crate::config::settings::Settings;
use crate::ending::Ending;
use crate::excuse::{self, explain_excused};
use crate::home::Home;
use crate::human;
use crate::injection::Injection;
use crate::interrupt::Interrupts;
use crate::ledger;
use crate::look::Asked;
use crate::outputs::Outputs;
use crate::profile;
use crate::report;
use crate::run::Run;
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::verdict::{Verdict, judge, judge_without_leaks};
use crate::why;

/// What to run.
#[derive(Debug)]
pub(crate) struct Exec {
    /// The folder of the tool.
    pub(crate) home: Home,
    /// The shared object.
    pub(crate) runtime: PathBuf,
    /// What was set.
    pub(crate) plan: Plan,
    /// How the report looks.
    pub(crate) asked: Asked,
    /// The reports that are written.
    pub(crate) outputs: Outputs,
    /// Where the program lies.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
}

impl Exec {
    /// Runs it, and answers the exit code.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        self.outputs.check()?;
        let path = &self.program;
        let run = Run::begin(&self.home)?;
        self.plan.save(&run.path)?;
        let unit = run.add_unit("program", &absolute(path), None)?;
        let settings = self.plan.settings(&unit.subject());
        let mut command = Command::new(path);
        command.args(&self.arguments);
        if settings.is_checked {
            self.injection(&settings).apply(&mut command, &unit.path);
        }
        // The program may be told to end; what is known of it is told all the same.
        let _interrupts = Interrupts::catch().map_err(|error| cannot_run(&path.to_string_lossy(), &error))?;
        let ended = child::run(&mut command, settings.timeout);
        let Ended { pid, status, is_timed_out, took } = ended.map_err(|error| {
            run.forget(&self.home);
            cannot_run(&path.to_string_lossy(), &error)
        })?;
        let records = unit.read_records()?;
        let verdict = match (is_timed_out, settings.is_checked) {
            (true, _) => Verdict::TimedOut,
            (false, false) => Verdict::Unchecked,
            (false, true) => judge(&records, Some(pid), path, Some(status)),
        };
        let answers = self.plan.why.as_deref().map(|why| why::find(why, &records, &mut Symbols::default()));
        let look = self.asked.on_stderr();
        let rest = judge_without_leaks(&records, Some(pid), path, Some(status));
        let mut explained =
            explain_excused(&unit, records, verdict, rest, &self.plan, &mut Symbols::default());
        explained.took_ms = Some(milliseconds(took));
        ledger::add(&run, &explained)?;
        tally::add(&run, &Entry::of(&explained))?;
        let is_excused = explained.suppressed_bytes > 0 || !explained.excused.is_empty();
        if explained.verdict != Verdict::Clean || is_excused {
            eprint!("\n{}", human::render(&explained, look));
        }
        if explained.verdict == Verdict::Leaked {
            profile::write_unit(&run, &explained);
            profile::write_all(&run, std::slice::from_ref(&explained));
            eprint!("{}", profile::hint(&run.link(), "cargo heapcheck report"));
            eprint!("{}", excuse::suggestion(std::slice::from_ref(&explained)));
        }
        if let (Some(pattern), Some(answers)) = (&self.plan.why, answers) {
            let text = if answers.is_empty() { why::no_match(pattern) } else { why::render(&answers, look) };
            eprint!("\n{text}");
        }
        let units = [explained];
        if settings.has_in_use {
            profile::write_all(&run, &units);
            eprint!("{}", profile::in_use_note(&units, "cargo heapcheck report"));
        }
        report::keep(&run, &units)?;
        self.outputs.write(&units, self.asked)?;
        let [explained] = units;
        Ok(match (own_code(status), explained.verdict) {
            (0, Verdict::Clean) => Ending::Clean.code(),
            (0, Verdict::Leaked) => Ending::Leaked.code(),
            (0, Verdict::None(_)) => Ending::NoVerdict.code(),
            (_, Verdict::TimedOut) => Ending::Failed.code(),
            (code, _) => code,
        })
    }
}

impl Exec {
    fn injection(&self, settings: &Settings) -> Injection {
        Injection {
            runtime: self.runtime.clone(),
            mode: settings.mode.clone(),
            stacks: settings.depth.once(),
            children: settings.children.clone(),
            behind: None,
            suppressions: self.plan.leak_files.clone(),
            asks_why: self.plan.why.is_some(),
            has_in_use: settings.has_in_use,
        }
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
