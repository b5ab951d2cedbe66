#![forbid(unsafe_code)]
//! The profiles that a run leaves in its folder when something leaked, or when it has recorded what is in use; and the
//! commands that show them.

use std::fs;
use std::path::{Path, PathBuf};

use super::kinds::Kind;
use super::sample::{Which, counts, has_in_use};
use super::select::Selection;
use crate::explain::Explained;
use crate::figures::{bytes, counted};
use crate::run::Run;
use crate::symbols::shown;

/// The name of the profile of all that leaked; with what is in use, where that was recorded.
const ALL: &str = "all";
/// The name of the texts of all that is in use: those of gperftools have room for one kind of sum.
const IN_USE: &str = "in-use";
/// What is written without being asked for: it is small, and pprof needs it.
const WRITTEN: &[Kind] = &[Kind::Pprof, Kind::Heap, Kind::HeapNames];
/// The texts among them.
const TEXTS: &[Kind] = &[Kind::Heap, Kind::HeapNames];

/// Writes the profiles of one test or program into the folder of the run.
pub(crate) fn write_unit(run: &Run, unit: &Explained) {
    if has_leaks(unit) {
        let units = std::slice::from_ref(unit);
        write(run, &stem(&unit.program, unit.test.as_deref()), units, WRITTEN, &Selection::default());
    }
}

/// Writes the profiles of everything that leaked in the run, and of what it has in use.
pub(crate) fn write_all(run: &Run, units: &[Explained]) {
    let (leaks, in_use) = (Selection::default(), Selection { which: Which::InUse, ..Selection::default() });
    if units.iter().any(has_leaks) {
        write(run, ALL, units, WRITTEN, &leaks);
    } else if has_in_use(units) {
        write(run, ALL, units, &[Kind::Pprof], &leaks);
    }
    if has_in_use(units) {
        write(run, IN_USE, units, TEXTS, &in_use);
    }
    // A test that leaked in one try, and not in the last one, has left profiles that nothing stands for any more.
    let leaked = units.iter().filter(|unit| has_leaks(unit));
    let stems: Vec<String> = leaked.map(|unit| stem(&unit.program, unit.test.as_deref())).collect();
    for path in fs::read_dir(&run.path).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_of = |stem: &str| {
            WRITTEN
                .iter()
                .any(|kind| name.strip_prefix(stem).and_then(|end| end.strip_prefix('.')) == Some(kind.end()))
        };
        let is_profile = WRITTEN.iter().any(|kind| name.ends_with(&format!(".{}", kind.end())));
        if is_profile && !is_of(ALL) && !is_of(IN_USE) && !stems.iter().any(|stem| is_of(stem)) {
            // One that stays is old, not wrong.
            let _ = fs::remove_file(path);
        }
    }
}

fn has_leaks(unit: &Explained) -> bool {
    unit.leaks.iter().any(|leak| counts(leak.kind))
}

fn write(run: &Run, stem: &str, units: &[Explained], kinds: &[Kind], selection: &Selection) {
    for kind in kinds {
        let path = run.path.join(format!("{stem}.{}", kind.end()));
        if let Err(error) = fs::write(&path, kind.render(units, selection)) {
            // The leak is told all the same, and its verdict stands.
            eprintln!("heapcheck: cannot write the profile `{}`: {error}", path.display());
        }
    }
}

/// The name of a test as that of a file: `app.tests.it_leaks`.
fn stem(program: &str, test: Option<&str>) -> String {
    let joined = [program, test.unwrap_or_default()].join(".").replace("::", ".");
    let is_plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let plain: String = joined.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    // A name that begins with a dot would hide the file, and one like `all` would hide the others.
    let name = plain.trim_matches('.');
    match name.split_once('.').unwrap_or((name, "")) {
        ("", _) => format!("{ALL}_"),
        (first @ (ALL | IN_USE), "") => format!("{first}_"),
        (first @ (ALL | IN_USE), rest) => format!("{first}_.{rest}"),
        _ => name.to_string(),
    }
}

/// Tells how to look closer at what leaked, on the terminal, as a page, and with whichever pprof is installed for the profiles
/// in `folder`. `report` is the command that tells the run again.
pub(crate) fn hint(folder: &Path, report: &str) -> String {
    let file = |kind: Kind| quoted(&shown(&folder.join(format!("{ALL}.{}", kind.end())).to_string_lossy()));
    let mut text =
        format!("heapcheck: to look closer:\n    {report} -v\n    {report} --format html --open\n");
    let is_old = find("pprof").map(|path| is_perl(&path));
    let viewer = match is_old {
        Some(true) => Some(format!("pprof --text --show_bytes {}", file(Kind::HeapNames))),
        Some(false) => Some(format!("pprof -http=: {}", file(Kind::Pprof))),
        None if find("go").is_some() => Some(format!("go tool pprof -http=: {}", file(Kind::Pprof))),
        None if find("google-pprof").is_some() => {
            Some(format!("google-pprof --text --show_bytes {}", file(Kind::HeapNames)))
        }
        None => None,
    };
    if let Some(viewer) = viewer.filter(|_| folder.join(format!("{ALL}.{}", Kind::Pprof.end())).exists()) {
        text.push_str(&format!("    {viewer}\n"));
    }
    text
}

/// Tells how much was in use, and how to look at it. `report` is the command that tells the run again.
pub(crate) fn in_use_note(units: &[Explained], report: &str) -> String {
    let known = || units.iter().filter_map(|unit| unit.in_use.as_ref());
    if known().count() == 0 {
        return "heapcheck: what was in use is not known: no process came to the check that records it\n"
            .to_string();
    }
    let sum = known().map(|in_use| in_use.bytes).sum();
    let blocks = counted(known().map(|in_use| in_use.blocks).sum(), "block");
    format!(
        "heapcheck: {} in {blocks} were in use at the end; `{report} --top --inuse_space` tells from where\n",
        bytes(sum)
    )
}

/// Finds a program in PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Whether it is the old pprof of gperftools, not the one that Go has.
fn is_perl(path: &Path) -> bool {
    let file = fs::read(path).unwrap_or_default();
    let first_line = file.split(|&byte| byte == b'\n').next().unwrap_or_default();
    first_line.starts_with(b"#!") && first_line.windows(4).any(|word| word == b"perl")
}

/// A path as it is typed into a shell.
pub(crate) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:@".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path.to_string();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_names_a_file_that_every_shell_takes() {
        let check = |program: &str, test: Option<&str>, expected: &str| {
            assert_eq!(stem(program, test), expected);
        };
        check("app", Some("tests::it_leaks"), "app.tests.it_leaks");
        check("app", None, "app");
        check("all", None, "all_");
        check("all", Some("names"), "all_.names");
        check("in-use", None, "in-use_");
        check(".hidden", None, "hidden");
        check("app", Some("src/lib.rs - f (line 3)"), "app.src_lib.rs_-_f__line_3_");
        check("..", Some("../../x"), "_.._x");
        assert_eq!(quoted("target/heapcheck/last/all.pb.gz"), "target/heapcheck/last/all.pb.gz");
        assert_eq!(quoted("my files/it's"), r"'my files/it'\''s'");
    }
}
