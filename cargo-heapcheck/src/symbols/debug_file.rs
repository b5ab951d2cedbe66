#![forbid(unsafe_code)]
//! Where the debug information of a loaded file lies: in the file itself, or in one that a distribution has split off.
//!
//! A file that is not the one which was loaded would give wrong names without a sign of it. So its build id is compared,
//! and for one that differs another is looked for, as gdb does it ("Debugging Information in Separate Files").

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use object::read::ReadCache;
use object::{Object, ObjectSection};

/// Where distributions put what they have split off.
const DEBUG_FOLDER: &str = "/usr/lib/debug";

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DebugFile {
    /// The file to read.
    pub(crate) path: Option<PathBuf>,
    /// What else belongs to it (`.gnu_debugaltlink`).
    pub(crate) supplement: Option<PathBuf>,
    /// What a person should know about it.
    pub(crate) problem: Option<String>,
}

/// Finds the file for a module that was loaded from `path` by a process that began at `began_ns`.
pub(crate) fn find(path: &Path, build_id: &[u8], began_ns: u64) -> DebugFile {
    let by_id = || by_build_id(build_id).filter(|path| looks_like(path, build_id));
    let Some(file) = Opened::read(path) else {
        // It was closed and removed, or never was a file (the kernel's vdso).
        let is_file = path.is_absolute();
        let found = by_id();
        let missing = format!("`{}` can't be read any more, so its functions have no names", path.display());
        return DebugFile {
            problem: Some(missing).filter(|_| is_file && found.is_none()),
            path: found,
            supplement: None,
        };
    };
    if !build_id.is_empty() && file.build_id != build_id {
        let found = by_id();
        let changed = format!(
            "`{}` has been changed since the program ran, so its functions have no names",
            path.display()
        );
        return DebugFile {
            problem: Some(changed).filter(|_| found.is_none()),
            path: found,
            supplement: None,
        };
    }
    let is_newer = build_id.is_empty() && written_ns(path) > began_ns;
    let problem = is_newer.then(|| {
        format!(
            "`{}` was written after the program began; if it was built anew, names and lines are wrong",
            path.display()
        )
    });
    let supplement = file.alternative.as_ref().map(|link| beside(path, link)).filter(|path| path.is_file());
    // Nobody looks for a leak between libc's own lines, and its debug information is large.
    if file.has_debug_info || is_libc(&path.to_string_lossy()) {
        return DebugFile { path: Some(path.to_path_buf()), supplement, problem };
    }
    let linked = file.link.as_ref().and_then(|(name, sum)| by_link(path, name, *sum, build_id));
    match by_id().or(linked) {
        Some(split) => {
            let link = Opened::read(&split).and_then(|file| file.alternative);
            let supplement = link.map(|link| beside(&split, &link)).filter(|path| path.is_file());
            DebugFile { path: Some(split), supplement, problem }
        }
        None => DebugFile { path: Some(path.to_path_buf()), supplement: None, problem },
    }
}

/// Whether a module is part of libc.
pub(crate) fn is_libc(module: &str) -> bool {
    let name = module.rsplit('/').next().unwrap_or(module);
    ["libc.so", "libc-", "libpthread", "ld-linux", "ld-musl"].iter().any(|prefix| name.starts_with(prefix))
}

/// What is to be known of a file before all of it is read.
struct Opened {
    build_id: Vec<u8>,
    has_debug_info: bool,
    /// `.gnu_debuglink`: a name, and the sum of that file.
    link: Option<(Vec<u8>, u32)>,
    alternative: Option<Vec<u8>>,
}

impl Opened {
    fn read(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let debug = [".debug_info", ".zdebug_info"].into_iter().find_map(|name| file.section_by_name(name));
        Some(Self {
            build_id: file.build_id().ok().flatten().unwrap_or_default().to_vec(),
            has_debug_info: debug.is_some_and(|section| section.size() > 0),
            link: file.gnu_debuglink().ok().flatten().map(|(name, sum)| (name.to_vec(), sum)),
            alternative: file.gnu_debugaltlink().ok().flatten().map(|(name, _)| name.to_vec()),
        })
    }
}

fn looks_like(path: &Path, build_id: &[u8]) -> bool {
    Opened::read(path).is_some_and(|file| file.build_id == build_id)
}

fn by_build_id(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let hex: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Path::new(DEBUG_FOLDER).join(format!(".build-id/{first:02x}/{hex}.debug")))
}

/// The file that a `.gnu_debuglink` names: beside the program, in `.debug`, or below the system's folder.
fn by_link(path: &Path, name: &[u8], sum: u32, build_id: &[u8]) -> Option<PathBuf> {
    let folder = path.canonicalize().ok()?.parent()?.to_path_buf();
    let name = String::from_utf8_lossy(name).into_owned();
    let below = Path::new(DEBUG_FOLDER).join(folder.strip_prefix("/").ok()?);
    let places = [folder.join(&name), folder.join(".debug").join(&name), below.join(&name)];
    places.into_iter().find(|place| {
        let has_id = || Opened::read(place).map(|file| file.build_id);
        match build_id.is_empty() {
            false => has_id().is_some_and(|id| id == build_id),
            true => std::fs::read(place).is_ok_and(|bytes| crc32fast::hash(&bytes) == sum),
        }
    })
}

fn beside(path: &Path, link: &[u8]) -> PathBuf {
    let link = PathBuf::from(String::from_utf8_lossy(link).into_owned());
    path.parent().unwrap_or(path).join(link)
}

fn written_ns(path: &Path) -> u64 {
    let written = path.metadata().and_then(|metadata| metadata.modified()).ok();
    let since = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
