#![forbid(unsafe_code)]
//! `report`: tells again what the last run, or one record, has found.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::complaint::Complaint;
use crate::config::plan::Plan;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::explain::{Explained, explain};
use crate::formats::Format;
use crate::home::Home;
use crate::look::Asked;
use crate::run::{Run, Unit, read_record};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::verdict::{Verdict, judge, judge_without_leaks};

/// What to tell.
#[derive(Debug)]
pub(crate) struct Retelling {
    /// One record; else the last run.
    pub(crate) record: Option<PathBuf>,
    /// The package whose last run is meant.
    pub(crate) manifest: Option<std::ffi::OsString>,
    /// How.
    pub(crate) format: Format,
    /// How it looks.
    pub(crate) asked: Asked,
}

impl Retelling {
    /// Tells it on stdout, and answers the exit code that goes with what was found.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        let mut symbols = Symbols::default();
        let units = match &self.record {
            Some(path) => vec![explain_record(path, &mut symbols)?],
            None => explain_run(&Run::last_of(&Home::find(self.manifest.as_ref())?)?, &mut symbols)?,
        };
        // A reader that closes the pipe early has seen enough.
        let _ = std::io::stdout().write_all(&self.format.render(&units, self.asked.on_stdout()));
        Ok(ending(&units).code())
    }
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
