#![forbid(unsafe_code)]
//! How rustdoc calls a doctest: `src/lib.rs - item (line 7)`. Nobody tells that to the program.
//!
//! Of merged doctests the names stand in the source of their harness, which lies beside the program while it runs. A program
//! with one doctest has a function named by file and line; the name comes from the list that the same rustdoc prints when
//! it is asked for one. That costs it a look at the crate, much less than the compilation of one doctest.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::elf::Elf;
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::run::{Run, now_ns, number_of_process};

/// Names the file with rustdoc's command line.
pub(crate) const VARIABLE: &str = "__HEAPCHECK_RUSTDOC";
/// What the function of a doctest is called, before its place.
const FUNCTION: &str = "_doctest_main_";

/// Rustdoc as it was called.
#[derive(Debug, Serialize, Deserialize)]
struct Call {
    rustdoc: String,
    arguments: Vec<String>,
    /// Where it was called, which is not where it runs doctests.
    folder: PathBuf,
}

/// Leaves rustdoc's command line in the folder of the run, and its place in its environment. Answers the place.
pub(crate) fn keep(rustdoc: &mut Command, run: &Run) -> Result<PathBuf, Complaint> {
    let text = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
    let arguments = rustdoc.get_args().map(text).collect();
    let folder = std::env::current_dir().unwrap_or_default();
    let call = Call { rustdoc: text(rustdoc.get_program()), arguments, folder };
    let path = run.path.join(format!("rustdoc-{}", number_of_process(now_ns())));
    let text = serde_json::to_string(&call).unwrap_or_default();
    fs::write(&path, text).map_err(|error| Complaint::file("write", &path, &error))?;
    rustdoc.env(VARIABLE, &path);
    Ok(path)
}

/// The names of doctests that were merged into this program, in their order; `None` for any other program.
pub(crate) fn of_merged(program: &Path) -> Option<Vec<String>> {
    let mut entries = fs::read_dir(program.parent()?).ok()?.flatten().map(|entry| entry.path());
    let source = entries.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("doctest_runner_") && name.ends_with(".rs")
    })?;
    Some(names_in(&fs::read_to_string(source).ok()?))
}

/// The names in the source of a harness.
fn names_in(source: &str) -> Vec<String> {
    let literals = source.split("::new_doctest(").skip(1).map(str::trim_start);
    literals
        .map(|literal| {
            let mut values = serde_json::Deserializer::from_str(literal).into_iter::<String>();
            values.next().and_then(Result::ok).unwrap_or_default()
        })
        .collect()
}

/// The name of the only doctest of this program.
pub(crate) fn of_single(program: &Path) -> String {
    let place = place(program).unwrap_or_default();
    let named = std::env::var_os(VARIABLE).map(PathBuf::from).and_then(|call| {
        let names = list(&call)?;
        names.lines().find(|name| place_of(name).is_some_and(|named| named == place)).map(str::to_string)
    });
    named.unwrap_or_else(|| match place.rsplit_once('_') {
        Some((file, line)) => format!("{file} (line {line})"),
        None => "a doctest".to_string(),
    })
}

/// The file and line in the name of the function of a doctest, `src_lib_rs_7`.
fn place(program: &Path) -> Option<String> {
    let bytes = fs::read(program).ok()?;
    let elf = Elf::parse(&bytes).ok()?;
    let functions = elf.symbols();
    functions.iter().filter(|symbol| symbol.is_function()).find_map(|symbol| {
        let name = rustc_demangle::demangle(std::str::from_utf8(symbol.name).ok()?).to_string();
        let (_, place) = name.split_once(FUNCTION)?;
        // Behind the line is a number that tells doctests of one line apart.
        let (place, _) = place.split("::").next()?.rsplit_once('_')?;
        Some(place.to_string())
    })
}

/// The same of a doctest with this name.
fn place_of(name: &str) -> Option<String> {
    let (file, rest) = name.split_once(" - ")?;
    let (_, line) = rest.strip_suffix(')')?.rsplit_once("(line ")?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    Some(format!("{}_{line}", file.chars().map(plain).collect::<String>()))
}

/// The names that rustdoc lists, a line each. It is asked once for all the programs that it runs.
fn list(call: &Path) -> Option<String> {
    let path = call.with_extension("names");
    let lock = File::create(call.with_extension("lock")).ok()?;
    lock.lock().ok()?;
    if let Ok(names) = fs::read_to_string(&path) {
        return Some(names);
    }
    let Call { rustdoc, arguments, folder } = serde_json::from_str(&fs::read_to_string(call).ok()?).ok()?;
    let mut command = Command::new(rustdoc);
    command.current_dir(folder).args(of_list(arguments)).args(["--test-runtool=true", "--test-args=--list"]);
    let output = command.env_remove(VARIABLE).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let names = names.join("\n");
    fs::write(&path, &names).ok()?;
    Some(names)
}

/// The arguments without those that put a runner before programs, and those that choose doctests or another way to write.
fn of_list(arguments: Vec<String>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        let is_left_out = argument.starts_with("--test-runtool") || argument.starts_with("--test-args");
        if !std::mem::take(&mut is_value) && !is_left_out {
            kept.push(OsString::from(&argument));
        }
        is_value = is_left_out && !argument.contains('=');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_the_function_of_its_doctest_have_one_place() {
        let check = |name: &str, place: Option<&str>| assert_eq!(place_of(name).as_deref(), place, "{name}");
        check("src/lib.rs - leaks (line 13)", Some("src_lib_rs_13"));
        check("src/a-b/mod.rs - (line 1)", Some("src_a_b_mod_rs_1"));
        check("src/lib.rs - Type<T>::new (line 7)", Some("src_lib_rs_7"));
        check("tests::clean", None);
    }

    #[test]
    fn names_are_read_from_the_source_of_the_harness() {
        let source = "mod __doctest_0 {\npub const TEST: T = test::TestDescAndFn::new_doctest(\n\
            \"src/lib.rs - a (line 8)\", false, \"src/lib.rs\", 8,\n));\n}\nmod __doctest_1 {\n\
            pub const TEST: T = test::TestDescAndFn::new_doctest(\n\"b\\\"c (line 9)\", false, 9\n";
        assert_eq!(names_in(source), ["src/lib.rs - a (line 8)", "b\"c (line 9)"]);
    }

    #[test]
    fn rustdoc_lists_all_and_without_a_runner() {
        let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        let line = "--test a.rs --test-runtool /x --test-runtool-arg y --test-args b --test-args=-q -L c";
        let kept = of_list(words(line));
        assert_eq!(kept, words("--test a.rs -L c").iter().map(OsString::from).collect::<Vec<_>>());
    }
}
