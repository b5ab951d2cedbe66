#![forbid(unsafe_code)]
//! `report`: tells again what the last run, or one record, has found.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::explain::{Explained, explain};
use crate::formats::Format;
use crate::home::Home;
use crate::look::Asked;
use crate::run::{Run, Unit, read_record};
use crate::symbols::Symbols;
use crate::tally;
use crate::verdict::{Verdict, judge};

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
            None => explain_run(&self.last_run()?, &mut symbols)?,
        };
        // A reader that closes the pipe early has seen enough.
        let _ = std::io::stdout().write_all(&self.format.render(&units, self.asked.on_stdout()));
        Ok(ending(&units).code())
    }

    fn last_run(&self) -> Result<Run, Complaint> {
        let home = Home::find(self.manifest.as_ref())?;
        Run::last(&home).ok_or_else(|| {
            Complaint::usage(format!("there is no run below `{}`", home.path.display()))
                .hint("run `cargo heapcheck test` or `cargo heapcheck exec -- PROGRAM` first")
        })
    }
}

fn explain_record(path: &Path, symbols: &mut Symbols) -> Result<Explained, Complaint> {
    let record = read_record(path)?;
    let program = PathBuf::from(String::from_utf8_lossy(&record.begin.exe).into_owned());
    let unit = Unit { path: path.to_path_buf(), program: program.clone(), test: None };
    let records = [record];
    let verdict = judge(&records, Some(records[0].begin.pid), &program, None);
    Ok(explain(&unit, &records, verdict, symbols))
}

/// Explains everything that a run has recorded.
pub(crate) fn explain_run(run: &Run, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
    let mut explained = Vec::new();
    for unit in run.units() {
        let records = unit.read_records()?;
        let verdict = judge(&records, None, &unit.program, None);
        explained.push(explain(&unit, &records, verdict, symbols));
    }
    // Of clean and failed tests only the tally knows.
    let rest = tally::read(run).into_iter().filter(|e| matches!(e.verdict, Verdict::Clean | Verdict::Failed));
    explained.extend(rest.map(|entry| Explained::without_records(entry.program, entry.test, entry.verdict)));
    Ok(explained)
}

fn ending(units: &[Explained]) -> Ending {
    let has = |wanted: fn(&Verdict) -> bool| units.iter().any(|unit| wanted(&unit.verdict));
    if has(|verdict| *verdict == Verdict::Failed) {
        Ending::Failed
    } else if has(|verdict| matches!(verdict, Verdict::None(_))) {
        Ending::NoVerdict
    } else if has(|verdict| *verdict == Verdict::Leaked) {
        Ending::Leaked
    } else {
        Ending::Clean
    }
}
