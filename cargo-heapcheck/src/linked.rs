#![forbid(unsafe_code)]
//! The runtime inside static programs: nothing can be preloaded there, so what is linked gets the runtime's object, and the
//! linker sends the calls of libc's functions to it.

use std::ffi::OsString;

use heapcheck_rt::wrapped;

use crate::complaint::Complaint;
use crate::handover::Handover;
use crate::runtime;
use crate::rustcline::Line;

/// The targets that the runtime knows.
const ARCHITECTURE: &str = "x86_64-";

/// The arguments to add to this call of a compiler; none where nothing static is linked.
pub(crate) fn added(
    handover: &Handover,
    arguments: &[OsString],
    is_rustdoc: bool,
) -> Result<Vec<OsString>, Complaint> {
    let line = Line { arguments };
    if !links_static(line, is_rustdoc) {
        return Ok(Vec::new());
    }
    let object = runtime::find_or_write_object(&handover.run.home())?;
    let mut linked = vec![object.into_os_string()];
    linked.extend(wrapped::linker_arguments().map(OsString::from));
    // rustc names libc before the object, which needs more of it.
    linked.extend(["-Wl,-Bstatic", "-lc"].map(OsString::from));
    let as_flag = |argument: OsString| {
        let mut flag = OsString::from("-Clink-arg=");
        flag.push(argument);
        flag
    };
    Ok(linked.into_iter().map(as_flag).collect())
}

/// Whether a static program is linked, for a target that the runtime knows.
fn links_static(line: Line, is_rustdoc: bool) -> bool {
    // Without a type it is a program: cargo compiles a test with a harness of its own like that.
    let crate_types = line.values("--crate-type");
    let is_program =
        line.has("--test") || (!is_rustdoc && crate_types.iter().all(|crate_type| crate_type == "bin"));
    let is_question = line.has("-vV") || line.values("--crate-name").iter().all(|name| name == "___");
    if !is_program
        || (!is_rustdoc && is_question)
        || line.is_build_script()
        || line.has_pair("--crate-type", "proc-macro")
    {
        return false;
    }
    let target = line.values("--target").pop();
    let is_musl = target.as_ref().is_some_and(|target| target.ends_with("-linux-musl"));
    let features =
        line.codegen().into_iter().filter_map(|o| o.strip_prefix("target-feature=").map(String::from));
    let all: Vec<String> =
        features.flat_map(|list| list.split(',').map(String::from).collect::<Vec<_>>()).collect();
    let is_static = match all.iter().rfind(|feature| feature.ends_with("crt-static")) {
        Some(feature) => feature.starts_with('+'),
        None => is_musl,
    };
    // Without a name the target is the machine's own.
    let is_known = target.is_none_or(|target| target.starts_with(ARCHITECTURE) && target.contains("-linux-"));
    is_static && is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_programs_are_told_from_the_rest() {
        let check = |line: &str, expected: bool| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(links_static(Line { arguments: &arguments }, false), expected, "{line}");
        };
        check("rustc --crate-name a --test --target x86_64-unknown-linux-musl", true);
        check("rustc --crate-name a --crate-type bin --target=x86_64-unknown-linux-musl", true);
        check("rustc --crate-name a --crate-type lib --target x86_64-unknown-linux-musl", false);
        check(
            "rustc --crate-name a --test --target x86_64-unknown-linux-musl -Ctarget-feature=-crt-static",
            false,
        );
        check("rustc --crate-name a --cfg test --target x86_64-unknown-linux-musl", true);
        check("rustc --crate-name ___ --target x86_64-unknown-linux-musl", false);
        check("rustc -vV --target x86_64-unknown-linux-musl", false);
        check("rustc --crate-name a --test", false);
        check("rustc --crate-name a --test -C target-feature=+avx2,+crt-static", true);
        check("rustc --crate-name a --test -Ctarget-feature=+crt-static -Ctarget-feature=-crt-static", false);
        check("rustc --crate-name build_script_build --crate-type bin -Ctarget-feature=+crt-static", false);
        check("rustc --crate-name a --test --target aarch64-unknown-linux-musl", false);
    }
}
