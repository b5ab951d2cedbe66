#![forbid(unsafe_code)]
//! What leaked blocks of C and C++ are: programs that lose one of each kind, each with its claims, as two compilers build
//! them. A wrong type is worse than none, so none may be wrong in any build.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use heapcheck_tests::fixture::Fixture;
use serde_json::Value;

/// What a function of a program claims, or what was found of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// Types with the number of their blocks; `?` has no type.
    blocks: BTreeMap<String, u64>,
    /// The fields of a cycle, in the order of the pointers.
    fields: Vec<String>,
    /// Whether a container is told as one thing.
    is_whole: bool,
}

/// How well claims were met.
#[derive(Debug, Default)]
struct Score {
    claims: usize,
    /// All of it is right.
    right: usize,
    /// A type, a field or a shape that is not so.
    wrong: usize,
    differences: String,
}

#[test]
fn each_block_of_c_is_what_it_is() {
    for compiler in ["cc", "clang"] {
        for level in ["-O0", "-O2"] {
            let Some(score) = run(compiler, &["-g", level], "made.c") else { continue };
            assert!(score.right == score.claims, "{compiler} {level}: {score:#?}");
        }
    }
}

#[test]
fn each_block_of_cpp_is_what_it_is() {
    for (compiler, least_percent) in [("c++", 100), ("clang++", 95)] {
        for level in ["-O0", "-O2"] {
            let Some(score) = run(compiler, &["-g", level], "made.cpp") else { continue };
            assert!(score.right * 100 >= score.claims * least_percent, "{compiler} {level}: {score:#?}");
            assert_eq!(score.wrong, 0, "{compiler} {level}: {score:#?}");
        }
    }
}

/// Objects with virtual functions say themselves what they are, if the library has no more than its symbols, and even if only those
/// that the loader needs.
#[test]
fn an_object_with_virtual_functions_is_known_without_debug_information() {
    /// Of these something is not known without lines: three have a block without virtual functions besides, one only begins with an
    /// object, and of one the field is asked for.
    const UNKNOWN: usize = 5;
    for compiler in ["c++", "clang++"] {
        for (flags, is_whole) in [
            (&["-g", "-O0"][..], true),
            (&["-g", "-O2"], true),
            (&["-g0", "-O0"], false),
            (&["-g0", "-O2"], false),
        ] {
            let sized = [flags, &["-fsized-deallocation"]].concat();
            let Some(score) = run(compiler, &sized, "virtual.cpp") else { continue };
            eprintln!("{compiler} {flags:?}: {} of {} claims", score.right, score.claims);
            // Clang leaves out what the library's strings consist of.
            let unknown = if is_whole { usize::from(compiler == "clang++") } else { UNKNOWN };
            let least = score.claims - unknown;
            assert!(score.right >= least && score.wrong == 0, "{compiler} {flags:?}: {score:#?}");
        }
        for strip in [false, true] {
            let fixture = Fixture::new("foreign");
            let library = [
                "-g0",
                "-O2",
                "-fsized-deallocation",
                "-fPIC",
                "-shared",
                "-DLIBRARY",
                "-o",
                "libvirtual.so",
            ];
            let library = [&library[..], if strip { &["-s"] } else { &[] }].concat();
            if build(&fixture, compiler, &library, "virtual.cpp").is_none() {
                continue;
            }
            let calls = ["-g0", "-DCALLS", "-o", "program", "-L.", "-lvirtual", "-Wl,-rpath,$ORIGIN"];
            build(&fixture, compiler, &calls, "virtual.cpp");
            let score = compare(&fixture, "virtual.cpp");
            assert!(
                score.right >= score.claims - UNKNOWN && score.wrong == 0,
                "{compiler} {strip}: {score:#?}"
            );
        }
    }
}

#[test]
fn of_libcxx_nothing_wrong_is_told() {
    let probe = Fixture::new("foreign");
    fs::write(probe.path().join("probe.cpp"), "#include <map>\nint main() {}\n").unwrap();
    let mut command = Command::new("clang++");
    command.args(["-stdlib=libc++", "-o", "probe", "probe.cpp"]).current_dir(probe.path());
    if !command.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no clang++ with libc++");
        return;
    }
    for level in ["-O0", "-O2"] {
        let Some(score) = run("clang++", &["-stdlib=libc++", "-g", level], "made.cpp") else { return };
        eprintln!("libc++ {level}: {} of {} claims", score.right, score.claims);
        assert_eq!(score.wrong, 0, "{level}: {score:#?}");
        assert!(score.right >= 25, "{level}: {score:#?}");
    }
}

#[test]
fn where_less_is_known_nothing_is_wrong() {
    for (compiler, source) in [("cc", "made.c"), ("c++", "made.cpp")] {
        for flags in [&["-g", "-gdwarf-4", "-O2"][..], &["-g1", "-O2"], &["-g0", "-O0"], &["-g0", "-O2"]] {
            let Some(score) = run(compiler, flags, source) else { continue };
            eprintln!("{compiler} {flags:?}: {} of {} claims", score.right, score.claims);
            assert_eq!(score.wrong, 0, "{compiler} {flags:?}: {score:#?}");
        }
    }
}

#[test]
fn lines_that_were_edited_since_are_not_believed() {
    let fixture = Fixture::new("foreign");
    let Some(()) = build(&fixture, "cc", &["-g", "-O0", "-o", "program"], "made.c") else { return };
    let path = fixture.path().join("made.c");
    // As many bytes, but another type.
    let edited = fs::read_to_string(&path)
        .unwrap()
        .replace("lose(malloc(sizeof(struct entry)))", "lose(malloc(sizeof(struct pair)))");
    fs::write(&path, edited).unwrap();
    // Both may have been written within one tick of the kernel's clock.
    let built = fs::metadata(fixture.path().join("program")).unwrap().modified().unwrap();
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(built + Duration::from_millis(20)).unwrap();
    let found = find(&fixture, &["size_of_the_type".to_string()]);
    assert_eq!(found["size_of_the_type"].blocks, BTreeMap::from([("?".to_string(), 1)]));
}

/// Builds and runs a program, and compares each function of it with its claims. None when there is no such compiler.
fn run(compiler: &str, flags: &[&str], source: &str) -> Option<Score> {
    let fixture = Fixture::new("foreign");
    build(&fixture, compiler, &[flags, &["-o", "program"]].concat(), source)?;
    Some(compare(&fixture, source))
}

/// Compares what the program loses with the claims of its source.
fn compare(fixture: &Fixture, source: &str) -> Score {
    let claims = read_claims(&fs::read_to_string(fixture.path().join(source)).unwrap());
    let least = if source == "virtual.cpp" { 12 } else { 21 };
    assert!(claims.len() >= least, "the claims can't be read");
    let mut found = find(fixture, &claims.keys().cloned().collect::<Vec<_>>());
    let mut score = Score { claims: claims.len(), ..Score::default() };
    for (function, claim) in claims {
        let found = found.remove(&function).unwrap_or_default();
        let is_met = claim.fields.is_empty() || turned(&found.fields).any(|fields| fields == claim.fields);
        if claim.blocks == found.blocks && is_met && claim.is_whole == found.is_whole {
            score.right += 1;
            continue;
        }
        // What is not known is not wrong.
        let is_claimed = |(name, blocks): (&String, &u64)| {
            name == "?" || claim.blocks.get(name).is_some_and(|known| blocks <= known)
        };
        let all_claimed = found.blocks.iter().all(is_claimed);
        let no_other_field = found.fields.iter().all(|field| {
            field == "?" || claim.is_whole || claim.fields.is_empty() || claim.fields.contains(field)
        });
        let is_wrong = !all_claimed || !no_other_field;
        score.wrong += usize::from(is_wrong);
        let verdict = if is_wrong { "wrong" } else { "silent" };
        score.differences += &format!("{function}: {verdict}\n  claims {claim:?}\n  found  {found:?}\n");
    }
    score
}

fn build(fixture: &Fixture, compiler: &str, flags: &[&str], source: &str) -> Option<()> {
    let mut command = Command::new(compiler);
    command.args(["-w", source]).args(flags).current_dir(fixture.path());
    match command.status() {
        Ok(status) => assert!(status.success(), "{compiler} {flags:?} {source}"),
        Err(_) => {
            eprintln!("skipped: there is no {compiler}");
            return None;
        }
    }
    Some(())
}

/// The claims above each function.
fn read_claims(source: &str) -> BTreeMap<String, Told> {
    let (mut claims, mut claim) = (BTreeMap::new(), Told::default());
    for line in source.lines() {
        if let Some(block) = line.strip_prefix("//= ") {
            let counted = block.split_once(" x ").and_then(|(count, name)| Some((count.parse().ok()?, name)));
            let (count, name) = counted.unwrap_or((1, block));
            claim.blocks.insert(name.to_string(), count);
        } else if let Some(field) = line.strip_prefix("//~ ") {
            claim.fields.push(field.to_string());
        } else if line == "//o" {
            claim.is_whole = true;
        } else if let Some(rest) = line.strip_prefix("OUTSIDE ").filter(|_| !claim.blocks.is_empty()) {
            let function = rest.split('(').next().unwrap();
            claims.insert(function.to_string(), std::mem::take(&mut claim));
        }
    }
    claims
}

/// Runs the program, and reads what the report says of each function.
fn find(fixture: &Fixture, functions: &[String]) -> BTreeMap<String, Told> {
    let output = fixture.command("exec -- ./program").output().unwrap();
    assert_eq!(output.status.code(), Some(23), "{}", String::from_utf8_lossy(&output.stderr));
    let output = fixture.command("report --format json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["type"].as_str().unwrap_or("?").to_string();
    let mut found: BTreeMap<String, Told> = BTreeMap::new();
    for leak in report["leaks"].as_array().unwrap() {
        let frames = leak["trace"].as_array().unwrap().iter();
        let mut names =
            frames.filter_map(|frame| frame["function"].as_str()?.split('(').next()?.rsplit("::").next());
        let function = names.find(|name| functions.iter().any(|known| known == name));
        let Some(function) = function else { continue };
        let told = found.entry(function.to_string()).or_default();
        let members = leak["members"].as_array().unwrap();
        if members.is_empty() {
            *told.blocks.entry(name(leak)).or_default() += leak["blocks"].as_u64().unwrap();
        }
        let mut seen: Vec<String> = Vec::new();
        for member in members {
            told.fields.push(member["field"].as_str().unwrap_or("?").to_string());
            let kind = match member["type"].as_str() {
                Some(name) => name.to_string(),
                None => format!("{} {}", member["place"], member["bytes"]),
            };
            if !seen.contains(&kind) {
                seen.push(kind);
                *told.blocks.entry(name(member)).or_default() += member["alike"].as_u64().unwrap();
            }
        }
        for other in leak["others"].as_array().unwrap() {
            *told.blocks.entry(name(other)).or_default() += other["blocks"].as_u64().unwrap();
        }
        told.is_whole |= leak["structure"].as_bool().unwrap();
    }
    found
}

/// A circle, begun at each of its members.
fn turned(fields: &[String]) -> impl Iterator<Item = Vec<String>> {
    (0..fields.len().max(1)).map(|at| {
        let mut turned = fields.to_vec();
        turned.rotate_left(at);
        turned
    })
}
