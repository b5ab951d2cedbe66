#![forbid(unsafe_code)]
//! A run: the folder with the records of one invocation of the tool.
//!
//! Below it each *unit* (a program, a test) has a folder with the records of its processes, and a file that says which
//! test of which program it was.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use heapcheck_rt::record::{self, Record};

use crate::binary::short_name;
use crate::complaint::Complaint;
use crate::config::filter::Subject;
use crate::home::Home;
use crate::memory;
use crate::part;

/// The link to the folder of the last run.
const LAST: &str = "last";
/// Older runs than the last few are removed when a new one begins.
const RUNS_KEPT: usize = 8;
/// The file in a unit's folder that names it: the program, the test, the package.
const NAME_FILE: &str = "name";
/// The file that says that nothing was left out.
const WHOLE_FILE: &str = "whole";
/// The file that says that something was.
const LEFT_OUT_FILE: &str = "left-out";
/// The file that says that a harness was asked for what it can't do.
const REFUSED_FILE: &str = "refused";
const RECORD_END: &str = "hcr";
/// How folders end whose records belong to many units.
const WHOLE_END: &str = ".whole";
/// The file of a unit that has a part of such records: the folder, then the numbers of its scopes.
const PART_FILE: &str = "part";

/// The time, in nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or_default()
}

/// The number, in a run, of what a process checks that began at this time. Process numbers alone begin again from below, and
/// a long run has some of them twice.
pub(crate) fn number_of_process(began_ns: u64) -> String {
    format!("{began_ns:019}-{}", std::process::id())
}

/// A folder of records.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Its path.
    pub(crate) path: PathBuf,
}

impl Run {
    /// Begins a new run.
    pub(crate) fn begin(home: &Home) -> Result<Self, Complaint> {
        let runs = home.path.join("runs");
        let path = runs.join(format!("{:020}-{}", now_ns(), std::process::id()));
        fs::create_dir_all(&path).map_err(|error| Complaint::file("create", &path, &error))?;
        let mut old = folders(&runs);
        old.truncate(old.len().saturating_sub(RUNS_KEPT));
        for run in old {
            // A run that can't be removed is a nuisance, not a wrong answer.
            let _ = fs::remove_dir_all(run);
        }
        point_to(&path, home);
        Ok(Self { path })
    }

    /// Takes it back: nothing was run, and the one before it is the last again.
    pub(crate) fn forget(&self, home: &Home) {
        // One that stays is empty, and says that nothing is known.
        let _ = fs::remove_dir_all(&self.path);
        match Self::last_below(&home.path) {
            Some(before) => point_to(&before.path, home),
            None => drop(fs::remove_file(self.link())),
        }
    }

    /// Remembers that a harness was asked for what it can't do.
    pub(crate) fn refuse(&self) {
        // Without the note the tests count as failed.
        let _ = fs::write(self.path.join(REFUSED_FILE), "");
    }

    /// Whether one was.
    pub(crate) fn is_refused(&self) -> bool {
        self.path.join(REFUSED_FILE).exists()
    }

    /// The name by which it can be found as long as no other run has begun.
    pub(crate) fn link(&self) -> PathBuf {
        self.home().join(LAST)
    }

    /// The folder of the tool, in which all runs lie.
    pub(crate) fn home(&self) -> PathBuf {
        self.path.ancestors().nth(2).unwrap_or(&self.path).to_path_buf()
    }

    /// The run that began last below a folder of the tool.
    pub(crate) fn last_below(folder: &Path) -> Option<Self> {
        folders(&folder.join("runs")).pop().map(|path| Self { path })
    }

    /// The run that began last, which must be there.
    pub(crate) fn last_of(home: &Home) -> Result<Self, Complaint> {
        Self::last_below(&home.path).ok_or_else(|| {
            Complaint::usage(format!("there is no run below `{}`", home.path.display()))
                .hint("run `cargo heapcheck test` or `cargo heapcheck exec -- PROGRAM` first")
        })
    }

    /// Remembers that tests were left out which nobody has named.
    pub(crate) fn leave_out(&self) -> Result<(), Complaint> {
        let path = self.path.join(LEFT_OUT_FILE);
        fs::write(&path, "").map_err(|error| Complaint::file("write", &path, &error))
    }

    /// Remembers that everything there is was run and judged, unless something was left out.
    pub(crate) fn set_whole(&self) {
        if !self.path.join(LEFT_OUT_FILE).exists() {
            // Without the note the run counts as a part, and less is concluded from it.
            let _ = fs::write(self.path.join(WHOLE_FILE), "");
        }
    }

    /// Whether everything there is was run and judged.
    pub(crate) fn is_whole(&self) -> bool {
        self.path.join(WHOLE_FILE).exists()
    }

    /// Adds a unit.
    pub(crate) fn add_unit(
        &self,
        number: &str,
        program: &Path,
        test: Option<&str>,
    ) -> Result<Unit, Complaint> {
        let unit = self.name_unit(number, program, test);
        unit.add()?;
        Ok(unit)
    }

    /// A unit that is not there until it is added.
    pub(crate) fn name_unit(&self, number: &str, program: &Path, test: Option<&str>) -> Unit {
        // Cargo says it to the runner; outside of cargo there is none.
        let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        let (program, test) = (program.to_path_buf(), test.map(str::to_string));
        Unit { path: self.path.join(number), program, test, package }
    }

    /// Adds the records of a process that runs many tests. It is no unit: each of these has a part of it.
    pub(crate) fn add_whole(&self, number: &str, program: &Path) -> Result<Unit, Complaint> {
        self.add_unit(&format!("{number}{WHOLE_END}"), program, None)
    }

    /// Adds a unit that has a part of such records: what belongs to these scopes.
    pub(crate) fn add_part(
        &self,
        number: &str,
        whole: &Unit,
        test: Option<&str>,
        scopes: &[u32],
    ) -> Result<Unit, Complaint> {
        let unit = self.add_unit(number, &whole.program, test)?;
        let folder = whole.path.file_name().unwrap_or_default().to_string_lossy();
        let numbers: Vec<String> = scopes.iter().map(u32::to_string).collect();
        let path = unit.path.join(PART_FILE);
        let written = fs::write(&path, format!("{folder}\n{}\n", numbers.join(" ")));
        written.map_err(|error| Complaint::file("write", &path, &error))?;
        Ok(unit)
    }

    /// All units, in the order of their numbers.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let is_unit =
            |path: &PathBuf| path.join(NAME_FILE).exists() && !path.to_string_lossy().ends_with(WHOLE_END);
        folders(&self.path).into_iter().filter(is_unit).map(Unit::open).collect()
    }
}

/// What was checked as one: a program, or one test of it.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// The folder of its records.
    pub(crate) path: PathBuf,
    /// Its executable.
    pub(crate) program: PathBuf,
    /// The test.
    pub(crate) test: Option<String>,
    /// The package, where cargo has said so.
    pub(crate) package: String,
}

impl Unit {
    fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(path.join(NAME_FILE)).unwrap_or_default();
        let mut lines = text.lines().map(str::to_string);
        let program = lines.next().unwrap_or_default().into();
        let test = lines.next().filter(|test| !test.is_empty());
        Self { path, program, test, package: lines.next().unwrap_or_default() }
    }

    /// Makes its folder.
    pub(crate) fn add(&self) -> Result<(), Complaint> {
        let (test, package) = (self.test.as_deref().unwrap_or_default(), &self.package);
        let text = format!("{}\n{test}\n{package}\n", self.program.display());
        let made = fs::create_dir_all(&self.path).and_then(|()| fs::write(self.path.join(NAME_FILE), text));
        made.map_err(|error| Complaint::file("create", &self.path, &error))
    }

    /// Makes its folder with a record that lies elsewhere. An empty one is none: the runtime never started.
    pub(crate) fn add_with(&self, record: &File) -> Result<(), Complaint> {
        self.add()?;
        if record.metadata().is_ok_and(|about| about.len() == 0) {
            return Ok(());
        }
        let path = self.path.join(format!("given.{RECORD_END}"));
        memory::keep(record, &path).map_err(|error| Complaint::file("write the record", &path, &error))
    }

    /// It, as settings are chosen for it.
    pub(crate) fn subject(&self) -> Subject {
        let test = self.test.clone().unwrap_or_default();
        Subject { package: self.package.clone(), binary: short_name(&self.program), test }
    }

    /// Reads its records, in the order in which the processes began.
    pub(crate) fn read_records(&self) -> Result<Vec<Record>, Complaint> {
        let part = fs::read_to_string(self.path.join(PART_FILE)).unwrap_or_default();
        let Some((folder, scopes)) = part.split_once('\n') else { return read_folder(&self.path) };
        let scopes = scopes.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let mut records = read_folder(&self.path.with_file_name(folder))?;
        for record in &mut records {
            part::keep(record, &scopes, self.test.as_deref());
        }
        Ok(records)
    }

    /// The same of a unit that is not added yet, whose first process has its record elsewhere. An empty one is none.
    pub(crate) fn read_records_with(&self, record: &File) -> Result<Vec<Record>, Complaint> {
        let bytes =
            memory::read(record).map_err(|error| Complaint::file("read the record", &self.path, &error))?;
        let mut records = read_folder(&self.path)?;
        if !bytes.is_empty() {
            records.push(understand(&bytes, &self.path)?);
            records.sort_by_key(|record| record.begin.start_time_ns);
        }
        Ok(records)
    }

    /// Forgets what it has, for another try or because it is of no interest.
    pub(crate) fn remove(&self) {
        // What can't be removed stays; a later reading of it gives the same answer.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Reads the records of a folder, in the order in which the processes began.
fn read_folder(path: &Path) -> Result<Vec<Record>, Complaint> {
    let mut records = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == RECORD_END) {
            records.push(read_record(&path)?);
        }
    }
    records.sort_by_key(|record| record.begin.start_time_ns);
    Ok(records)
}

/// Reads one record file.
pub(crate) fn read_record(path: &Path) -> Result<Record, Complaint> {
    let bytes = fs::read(path).map_err(|error| {
        let complaint = Complaint::file("read the record", path, &error);
        Complaint { ending: crate::ending::Ending::Usage, ..complaint }
    })?;
    understand(&bytes, path)
}

/// Reads the record that is in a file.
fn understand(bytes: &[u8], path: &Path) -> Result<Record, Complaint> {
    let mut record = record::read(bytes).map_err(|error| Complaint::file("read the record", path, &error))?;
    // musl calls a static program by this name, which here would mean the tool.
    for module in record.modules.iter_mut().filter(|module| module.path == b"/proc/self/exe") {
        module.path = record.begin.exe.clone();
    }
    Ok(record)
}

/// Lets `last` name a run, for people and scripts that want a path which stays.
fn point_to(run: &Path, home: &Home) {
    let Ok(below) = run.strip_prefix(&home.path) else { return };
    let fresh = home.path.join(format!("{LAST}.{}", std::process::id()));
    // A rename puts it in place at once. Without the link the runs are still there by their names.
    let _ = symlink(below, &fresh).and_then(|()| fs::rename(&fresh, home.path.join(LAST)));
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
