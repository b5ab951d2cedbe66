#![forbid(unsafe_code)]
//! The usher, which takes the tool's place in front of each test under nextest, and hands over to the tool whatever is not
//! a test that passes and is clean. It finds what it must know in the folder of the run.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::handover::Handover;
use crate::home::Home;
use crate::run::Run;
use crate::runtime;

/// Its errand, in the folder of a run.
const FILE: &str = "errand";

/// What a runner of cargo's configuration is: a program and the words before those of the test.
pub(crate) type Runner = [OsString; 2];

/// The usher as the runner for a run, where what was set is the same for all tests, and ordinary.
pub(crate) fn runner(handover: &Handover, home: &Home, tool: &Path) -> Result<Option<Runner>, Complaint> {
    let Some(variables) = handover.of_all_tests() else { return Ok(None) };
    // Without it the tool does everything itself.
    let Ok(usher) = runtime::find_or_write_usher(&home.path) else { return Ok(None) };
    let path = handover.run.path.join(FILE);
    if [&usher, &path].into_iter().any(|path| path.to_string_lossy().contains(char::is_whitespace)) {
        // Where a person has set a runner as a string, cargo takes no other kind beside it, and parts it at blanks.
        return Ok(None);
    }
    let mut errand = Vec::new();
    let mut add = |string: &OsStr| {
        errand.extend(string.as_bytes());
        errand.push(0);
    };
    [tool, &handover.runtime, &handover.run.path].into_iter().for_each(|path| add(path.as_os_str()));
    let named =
        |name: &OsStr, value: &OsStr| [name, OsStr::new("="), value].into_iter().collect::<OsString>();
    let own = |name: &OsStr| name == "LD_PRELOAD" || name == "HEAPCHECK_OUT";
    let set = variables.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    set.filter(|(name, _)| !own(name)).for_each(|(name, value)| add(&named(name, value)));
    add(OsStr::new(""));
    let hidden = variables.iter().filter(|(_, value)| value.is_none());
    hidden.for_each(|(name, _)| add(&named(name, OsStr::new(""))));
    add(OsStr::new(""));
    fs::write(&path, errand).map_err(|error| Complaint::file("write", &path, &error))?;
    Ok(Some([usher.into_os_string(), path.into_os_string()]))
}

/// Tells all ushers of a run that `program` has libtest's harness.
pub(crate) fn note_libtest(run: &Run, program: &Path) {
    let Ok(about) = fs::metadata(program) else { return };
    // Without the note the tool is called each time.
    let _ = fs::write(run.path.join(format!("libtest-{}-{}", about.dev(), about.ino())), "");
}

/// A test that an usher has run and does not judge.
#[derive(Debug)]
pub(crate) struct Left {
    /// When the usher began, in nanoseconds since 1970.
    pub(crate) began_ns: u64,
    /// How long it ran.
    pub(crate) took: Duration,
    /// The number of its process.
    pub(crate) pid: u32,
    /// Its status, as wait(2) has it.
    pub(crate) status: i32,
    /// How many bytes of its own output were shown.
    pub(crate) shown: usize,
    /// The descriptors of its output and its record.
    pub(crate) files: [u32; 2],
}

impl Left {
    /// Reads the word by which an usher calls the tool.
    pub(crate) fn read(word: &OsString) -> Option<Self> {
        let numbers = word.to_str()?.strip_prefix("__judge:")?.split(':');
        let numbers: Vec<u64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let &[began_ns, took_ms, pid, status, shown, output, record] = numbers.as_slice() else {
            return None;
        };
        Some(Self {
            began_ns,
            took: Duration::from_millis(took_ms),
            pid: pid.try_into().ok()?,
            status: u32::try_from(status).ok()?.cast_signed(),
            shown: shown.try_into().ok()?,
            files: [output.try_into().ok()?, record.try_into().ok()?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_ushers_write_it() {
        let left = Left::read(&"__judge:1790000000000000000:34:4000000:256:12:5:6".into()).unwrap();
        assert_eq!((left.began_ns, left.took), (1_790_000_000_000_000_000, Duration::from_millis(34)));
        assert_eq!((left.pid, left.status, left.shown, left.files), (4_000_000, 256, 12, [5, 6]));
        for word in [
            "__judge",
            "__judge:1:2:3:4",
            "__judge:1:2:3:4:5:6",
            "__judge:1:2:3:4:5:6:7:8",
            "__judge:1:2:3:4:5:6:x",
            "__runner",
        ] {
            assert!(Left::read(&word.into()).is_none(), "{word}");
        }
    }
}
