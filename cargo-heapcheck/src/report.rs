#![forbid(unsafe_code)]
//! `report`: tells again what the last run, or one record, has found.

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::binary::absolute;
use crate::complaint::Complaint;
use crate::config::plan::Plan;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::explain::{Explained, explain};
use crate::formats::Format;
use crate::home::Home;
use crate::look::{Look, LookFlags};
use crate::profile::{self, Base, View, ViewFlags};
use crate::run::{Run, Unit, read_record};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::verdict::{Verdict, judge, judge_without_leaks};

/// What to tell, and how.
#[derive(Args, Debug)]
pub(crate) struct ReportFlags {
    /// One record file, or the folder of a run [default: the last run]
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,
    /// How it is written [default: human]
    #[arg(long, value_enum, conflicts_with = "view")]
    format: Option<Format>,
    /// Where it is written [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open it in the browser; as a page unless `--format` says otherwise
    #[arg(long, conflicts_with = "view")]
    open: bool,
    /// The package whose last run is meant
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<OsString>,
    #[command(flatten)]
    look: LookFlags,
    #[command(flatten)]
    view: ViewFlags,
}

impl ReportFlags {
    /// Tells it, and answers the exit code that goes with what was found.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        let view = self.view.view()?;
        let format = self.format(view.as_ref())?;
        let asked = self.look.asked();
        let mut selection = self.view.selection(asked.is_verbose)?;
        let mut symbols = Symbols::default();
        let units = self.units(&mut symbols)?;
        if let Some(base) = &self.view.base {
            selection.base = Some(read_base(base, &mut symbols)?);
        }
        let file = self.file(format)?;
        // A file is read later and elsewhere.
        let look =
            if file.is_some() { Look { has_colours: false, ..asked.on_stdout() } } else { asked.on_stdout() };
        let bytes = match &view {
            Some(view) => view.render(&units, &selection).into_bytes(),
            None => format.render(&units, &selection, look),
        };
        match file {
            Some(path) => {
                fs::write(&path, bytes).map_err(|error| cannot_write(&path, &error))?;
                if self.open {
                    profile::open(&path)?;
                }
            }
            // A reader that closes the pipe early has seen enough.
            None => drop(std::io::stdout().write_all(&bytes)),
        }
        Ok(ending(&units).code())
    }

    /// The format, when what was typed goes together.
    fn format(&self, view: Option<&View>) -> Result<Format, Complaint> {
        let format = self.format.unwrap_or(if self.open { Format::Html } else { Format::Human });
        if let (None, Some(flag), false) = (view, self.view.first_choice(), format.can_choose()) {
            return Err(Complaint::usage(format!("`{flag}` chooses among stacks, and this report is not made of them"))
                .hint("add `--text`, `--tree`, `--traces` or `--list REGEX`, or a `--format` such as `svg` or `pprof`"));
        }
        if !format.is_text() && view.is_none() && self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Complaint::usage("this format is not for terminals")
                .hint(format!("name a file: `--output profile.{}`", format.end())));
        }
        Ok(format)
    }

    /// The file to write, if it is one.
    fn file(&self, format: Format) -> Result<Option<PathBuf>, Complaint> {
        match &self.output {
            Some(path) if path.as_os_str() == "-" && !self.open => Ok(None),
            Some(path) => Ok(Some(absolute(path))),
            None if self.open => {
                let home = Home::find(self.manifest_path.as_ref())?;
                fs::create_dir_all(&home.path).map_err(|error| cannot_write(&home.path, &error))?;
                Ok(Some(home.path.join(format!("report.{}", format.end()))))
            }
            None => Ok(None),
        }
    }

    fn units(&self, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
        match &self.record {
            Some(path) if path.is_dir() => explain_folder(path, symbols),
            Some(path) => Ok(vec![explain_record(path, symbols)?]),
            None => explain_run(&Run::last_of(&Home::find(self.manifest_path.as_ref())?)?, symbols),
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Complaint {
    Complaint::usage(format!("cannot write `{}`: {error}", path.display()))
}

/// Reads an older run, whatever it was kept as.
fn read_base(path: &Path, symbols: &mut Symbols) -> Result<Base, Complaint> {
    if path.is_dir() {
        return explain_folder(path, symbols).map(Base::Units);
    }
    let text = fs::read(path).map_err(|error| {
        Complaint::usage(format!("cannot read the older run `{}`: {error}", path.display()))
            .hint("name the folder of a run, a record, or a report that `--format json` wrote")
    })?;
    if !text.trim_ascii_start().starts_with(b"{") {
        return explain_record(path, symbols).map(|unit| Base::Units(vec![unit]));
    }
    Base::read_report(&String::from_utf8_lossy(&text)).ok_or_else(|| {
        Complaint::usage(format!("`{}` is no report of heapcheck", path.display()))
            .hint("`cargo heapcheck report --format json --output FILE` writes one")
    })
}

fn explain_folder(path: &Path, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
    let run = Run { path: path.to_path_buf() };
    if run.units().is_empty() && tally::read(&run).is_empty() {
        return Err(Complaint::usage(format!("there is no run in `{}`", path.display())).hint(
            "the folders of runs are in `target/heapcheck/runs`; the last one is `target/heapcheck/last`",
        ));
    }
    explain_run(&run, symbols)
}

fn explain_record(path: &Path, symbols: &mut Symbols) -> Result<Explained, Complaint> {
    let record = read_record(path)?;
    let program = PathBuf::from(String::from_utf8_lossy(&record.begin.exe).into_owned());
    let unit =
        Unit { path: path.to_path_buf(), program: program.clone(), test: None, package: String::new() };
    let records = [record];
    let verdict = judge(&records, Some(records[0].begin.pid), &program, None);
    Ok(explain(&unit, &records, verdict, symbols))
}

/// Explains everything that a run has recorded, and excuses what was excused in it.
pub(crate) fn explain_run(run: &Run, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
    let plan = Plan::load(&run.path)?;
    let mut explained = Vec::new();
    for unit in run.units() {
        let records = unit.read_records()?;
        let verdict = judge(&records, None, &unit.program, None);
        let rest = judge_without_leaks(&records, None, &unit.program, None);
        explained.push(explain_excused(&unit, records, verdict, rest, &plan, symbols));
    }
    // Of tests without records only the tally knows.
    for Entry { program, test, verdict } in tally::read(run) {
        let is_there =
            |unit: &Explained| unit.program == program && unit.test.as_deref().unwrap_or("") == test;
        if !matches!(verdict, Verdict::Leaked | Verdict::None(_)) && !explained.iter().any(is_there) {
            explained.push(Explained::without_records(program, test, verdict));
        }
    }
    Ok(explained)
}

fn ending(units: &[Explained]) -> Ending {
    let has = |wanted: fn(&Verdict) -> bool| units.iter().any(|unit| wanted(&unit.verdict));
    if has(|verdict| matches!(verdict, Verdict::Failed | Verdict::TimedOut)) {
        Ending::Failed
    } else if has(|verdict| matches!(verdict, Verdict::None(_))) {
        Ending::NoVerdict
    } else if has(|verdict| *verdict == Verdict::Leaked) {
        Ending::Leaked
    } else {
        Ending::Clean
    }
}
