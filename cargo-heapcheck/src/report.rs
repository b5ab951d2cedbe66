#![forbid(unsafe_code)]
//! `report`: tells again what the last run, or one record, has found.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use heapcheck_rt::record::Record;

use crate::binary::absolute;
use crate::complaint::Complaint;
use crate::config::plan::Plan;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::explain::{Explained, explain};
use crate::formats::Format;
use crate::home::Home;
use crate::json;
use crate::look::LookFlags;
use crate::outputs::{Output, Outputs};
use crate::printed;
use crate::profile::{self, Base, Selection, View, ViewFlags};
use crate::run::{Run, Unit, read_record};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::verdict::{Verdict, judge, judge_without_leaks};
use crate::why;

/// What to tell, and how.
#[derive(Args, Debug)]
pub(crate) struct ReportFlags {
    /// One record file, or the folder of a run [default: the last run]
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,
    /// Join reports and runs, of several machines for example: JSON reports, folders of runs, copies of
    /// `target/heapcheck`
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["record", "manifest_path"])]
    merge: Vec<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    /// Tell what keeps blocks alive whose type, function or `file:line` has this in it; the run must have had `--why`, too
    #[arg(long, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with_all = ["view", "merge", "open", "format", "output"])]
    why: Option<String>,
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
        if let Some(pattern) = &self.why {
            return self.answer(pattern);
        }
        let view = self.view.view()?;
        let outputs = self.outputs(view.as_ref())?;
        let asked = self.look.asked();
        let mut selection = self.view.selection(asked.is_verbose)?;
        let mut symbols = Symbols::default();
        let units = self.units(&mut symbols)?;
        if let Some(base) = &self.view.base {
            selection.base = Some(read_base(base, &mut symbols)?);
        }
        self.check_in_use(&units, &selection)?;
        for output in &outputs {
            let bytes = match (&view, output.format) {
                (Some(view), None) => view.render(&units, &selection).into_bytes(),
                (_, format) => format.unwrap_or(Format::Human).render(&units, &selection, output.look(asked)),
            };
            output.write(&bytes)?;
        }
        if self.open
            && let Some(path) = outputs.iter().find_map(|output| output.file.as_ref())
        {
            profile::open(path)?;
        }
        Ok(ending(&units).code())
    }

    /// Where what goes, when what was typed goes together.
    fn outputs(&self, view: Option<&View>) -> Result<Vec<Output>, Complaint> {
        let mut outputs = self.outputs.all().to_vec();
        if outputs.is_empty() {
            outputs.push(Output::default());
        }
        for output in &mut outputs {
            if view.is_some() && output.format.is_some() {
                return Err(Complaint::usage("a view of pprof on the terminal has no `--format`")
                    .hint("leave out `--format`, or the flag of the view"));
            }
            if view.is_none() {
                let usual = if self.open { Format::Html } else { Format::Human };
                self.check_choice(*output.format.get_or_insert(usual))?;
            }
            output.check()?;
        }
        if self.open {
            self.set_file(&mut outputs[0])?;
        }
        Ok(outputs)
    }

    fn check_choice(&self, format: Format) -> Result<(), Complaint> {
        match self.view.first_choice() {
            Some(flag) if !format.can_choose() => Err(Complaint::usage(format!(
                "`{flag}` chooses among stacks, and this report is not made of them"
            ))
            .hint("add `--text`, `--tree`, `--traces` or `--list REGEX`, or a `--format` such as `svg` or `pprof`")),
            _ => Ok(()),
        }
    }

    /// Looks whether what is in use is known, when that is asked for.
    fn check_in_use(&self, units: &[Explained], selection: &Selection) -> Result<(), Complaint> {
        let Some(flag) = self.view.in_use_flag() else { return Ok(()) };
        let is_known = profile::has_in_use(units);
        if !is_known && units.iter().any(|unit| unit.in_use.is_some()) {
            return Err(Complaint::usage(format!(
                "`{flag}` shows the stacks of what was in use, and a report as JSON has only the sums"
            ))
            .hint("name the folder of the run, or a record"));
        }
        let whose = match &selection.base {
            _ if !is_known => "this run",
            Some(base) if !base.has_in_use() => "the older run",
            _ => return Ok(()),
        };
        Err(Complaint::usage(format!("`{flag}` shows what was in use, and {whose} has not recorded it")).hint(
            "run again with `--in-use`, as in `cargo heapcheck test --in-use`; what leaked is shown by `--leaked_space` \
             and `--leaked_objects`",
        ))
    }

    /// What is to be opened has to be a file, under a path that holds everywhere.
    fn set_file(&self, output: &mut Output) -> Result<(), Complaint> {
        output.file = Some(match &output.file {
            Some(path) => absolute(path),
            None => {
                let home = Home::find(self.manifest_path.as_ref())?;
                fs::create_dir_all(&home.path).map_err(|error| cannot_write(&home.path, &error))?;
                home.path.join(format!("report.{}", output.format.unwrap_or(Format::Html).end()))
            }
        });
        Ok(())
    }

    /// Tells what keeps the blocks alive that match, as far as the records say it.
    fn answer(&self, pattern: &str) -> Result<u8, Complaint> {
        let mut symbols = Symbols::default();
        let records = self.records()?;
        if !records.iter().any(why::is_recorded) {
            return Err(Complaint::usage("this run has not recorded what keeps blocks alive").hint(
                "run again with `--why PATTERN`, as in `cargo heapcheck test --why Session`; then any pattern can be asked for",
            ));
        }
        let answers = why::find(pattern, &records, &mut symbols);
        match answers.is_empty() {
            true => eprint!("{}", why::no_match(pattern)),
            // A reader that closes the pipe early has seen enough.
            false => {
                let text = why::render(&answers, self.look.asked().on_stdout());
                let _ = std::io::stdout().write_all(text.as_bytes());
            }
        }
        Ok(ending(&self.units(&mut symbols)?).code())
    }

    /// The records that are meant, each once: tests that shared a process share its record.
    fn records(&self) -> Result<Vec<Record>, Complaint> {
        let run = match &self.record {
            Some(path) if path.is_dir() => Run { path: path.clone() },
            Some(path) => return Ok(vec![read_record(path)?]),
            None => Run::last_of(&Home::find(self.manifest_path.as_ref())?)?,
        };
        let mut records: Vec<Record> = Vec::new();
        for record in run.units().iter().map(Unit::read_records).collect::<Result<Vec<_>, _>>()?.concat() {
            let id = |record: &Record| (record.begin.pid, record.begin.start_time_ns);
            if !records.iter().any(|known| id(known) == id(&record)) {
                records.push(record);
            }
        }
        Ok(records)
    }

    fn units(&self, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
        if !self.merge.is_empty() {
            return merged(&self.merge, symbols);
        }
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

/// The report that a run leaves in its folder, in the words of machines: it needs no program to be read.
const KEPT: &str = "report.json";

/// Leaves the report of a run in its folder.
pub(crate) fn keep(run: &Run, units: &[Explained]) -> Result<(), Complaint> {
    let path = run.path.join(KEPT);
    fs::write(&path, json::render(units)).map_err(|error| Complaint::file("write", &path, &error))
}

/// Leaves the report of a unit in its folder, for programs that are gone when the run is told.
pub(crate) fn keep_unit(unit: &Unit, explained: &Explained) -> Result<(), Complaint> {
    let path = unit.path.join(KEPT);
    let text = json::render(std::slice::from_ref(explained));
    fs::write(&path, text).map_err(|error| Complaint::file("write", &path, &error))
}

/// What was left of a unit whose program is gone.
fn kept_unit(unit: &Unit) -> Option<Vec<Explained>> {
    if unit.program.exists() {
        return None;
    }
    json::read(&fs::read_to_string(unit.path.join(KEPT)).ok()?).ok()
}

/// Everything that several reports or runs have.
fn merged(paths: &[PathBuf], symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
    let mut units = Vec::new();
    for path in paths {
        units.extend(read_part(path, symbols)?);
    }
    Ok(units)
}

/// Reads a report, the folder of a run, or the last run below a folder of the tool.
fn read_part(path: &Path, symbols: &mut Symbols) -> Result<Vec<Explained>, Complaint> {
    let kept = path.join(KEPT);
    if kept.is_file() {
        return read_part(&kept, symbols);
    }
    if path.join("runs").is_dir() {
        let run = Run::last_below(path)
            .ok_or_else(|| Complaint::usage(format!("there is no run below `{}`", path.display())))?;
        return read_part(&run.path, symbols);
    }
    if path.is_dir() {
        return explain_folder(path, symbols);
    }
    let wrong = |why: String| {
        Complaint::usage(format!("cannot merge `{}`: {why}", path.display()))
            .hint("name reports that `--format json` wrote, folders of runs, or copies of `target/heapcheck`")
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    json::read(&text).map_err(wrong)
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
        if let Some(kept) = kept_unit(&unit) {
            explained.extend(kept);
            continue;
        }
        let records = unit.read_records()?;
        let verdict = judge(&records, None, &unit.program, None);
        let rest = judge_without_leaks(&records, None, &unit.program, None);
        explained.push(explain_excused(&unit, records, verdict, rest, &plan, symbols));
    }
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (at, unit) in explained.iter().enumerate() {
        places.insert((unit.program.clone(), unit.test.clone().unwrap_or_default()), at);
    }
    for Entry { program, test, verdict, took_ms } in tally::read(run) {
        let output = printed::read(run, &program, &test).filter(|_| !verdict.is_fine());
        let has_failed = matches!(verdict, Verdict::Failed | Verdict::TimedOut);
        let at = places.get(&(program.clone(), test.clone())).copied().unwrap_or_else(|| {
            // Of tests without records only the tally knows.
            explained.push(Explained::without_records(program, test, verdict.clone()));
            explained.len() - 1
        });
        let has_lost = |unit: &Explained| !unit.leaks.is_empty() || !unit.faults.is_empty();
        // The records of one that has failed may show leaks besides, and the process that a clean one shared may have leaked.
        if has_failed || verdict == Verdict::Clean && !has_lost(&explained[at]) {
            explained[at].verdict = verdict;
        }
        (explained[at].took_ms, explained[at].output) = (took_ms, output);
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
