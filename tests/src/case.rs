#![forbid(unsafe_code)]
//! A case of the corpus: one claim about heapcheck as a small program, with the lines that say how it is run.
//!
//! The claim is line 1, a `//` comment (the same in Rust, C and C++). The `//` lines right below it may be directives;
//! `tests/corpus/README.md` explains them to those who write cases. An unknown word is an error: a directive that is
//! silently skipped would be a claim that nobody checks.

use std::path::{Path, PathBuf};

/// The kinds of leak, as a case writes them.
pub const KINDS: &[&str] = &["direct", "indirect", "cycle", "doubtful", "unfreed"];

/// The programs that a case may be run under.
pub const WRAPPERS: &[&str] = &["gdb", "strace", "ulimit"];

/// A case.
#[derive(Debug)]
pub struct Case {
    /// Its file.
    pub path: PathBuf,
    /// The file's name, which is the claim in short.
    pub name: String,
    /// Line 1.
    pub claim: String,
    /// The extra flags of each build; at least one, which may be empty.
    pub builds: Vec<Vec<String>>,
    /// A C file beside the case that is built as a shared library; the case finds its path in `CASE_LIBRARY`.
    pub library: Option<String>,
    /// Programs without which the case can't run.
    pub needs: Vec<String>,
    /// Why it can't be a static program, if it can't.
    pub not_static: Option<String>,
    /// The ways it is run.
    pub runs: Vec<Run>,
}

/// One way to run a case, with what must come out.
#[derive(Debug, Clone)]
pub struct Run {
    /// The left side of the line as it stands, which names the run.
    pub title: String,
    /// Environment of the program.
    pub env: Vec<(String, String)>,
    /// The program it is run under.
    pub under: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// What must come out.
    pub expected: Expected,
}

/// What a run must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// How the program ends.
    pub exit: Exit,
    /// What the last check of the first process says.
    pub verdict: Verdict,
    /// What its earlier checks say, by their number from 1.
    pub checks: Vec<(usize, Verdict)>,
    /// What the checks of forked processes say; clean where the case is silent.
    pub child: Verdict,
    /// How many forked processes left a record.
    pub children: Option<usize>,
    /// How many processes left a record.
    pub processes: Option<usize>,
    /// Diagnoses at free time, in order.
    pub faults: Vec<String>,
    /// Bytes that some leak keeps alive besides its own.
    pub keeps: Vec<u64>,
    /// Parts of the program's stdout.
    pub stdout: Vec<String>,
    /// Parts of its stderr.
    pub stderr: Vec<String>,
    /// What its stderr must not hold.
    pub no_stderr: Vec<String>,
}

/// The end of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing leaked. `doubtful` lists the blocks that only weak evidence keeps.
    Clean {
        /// Doubtful blocks, which are told but don't count.
        doubtful: Vec<Item>,
    },
    /// These blocks leaked.
    Leaks {
        /// The leaks.
        items: Vec<Item>,
        /// Others may leak too.
        open: bool,
    },
    /// No check ran; the reason holds this word.
    NoCheck(String),
    /// The check could not decide; the reason holds this word.
    NoVerdict(String),
    /// The process left no record.
    Unchecked,
    /// The record has a beginning and no end.
    Unfinished,
    /// Either of the two: no check ran, and the process could have said so or not.
    Early,
}

/// Blocks of one size that leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// One of [`KINDS`], or any of them.
    pub kind: Option<String>,
    /// Exact requested size of each block.
    pub size_bytes: u64,
    /// How many.
    pub blocks: u64,
}

impl Case {
    /// Reads the case in `path`.
    pub fn read(path: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Case::parse(path, &text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads all cases of `folder`, in order of their names.
    pub fn read_all(folder: &Path) -> Result<Vec<Case>, String> {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| ["c", "cc", "rs"].iter().any(|e| *e == end)));
        paths.sort();
        paths.iter().map(|path| Case::read(path)).collect()
    }

    /// Parses `text`, the content of `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Case, String> {
        let mut comments = text.lines().map_while(|line| line.strip_prefix("//")).map(str::trim);
        let claim = comments.next().unwrap_or_default().to_string();
        if !claim.ends_with('.') || claim.contains("run:") {
            return Err("line 1 is no sentence".to_string());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut case = Case {
            path: path.to_path_buf(),
            name,
            claim,
            builds: Vec::new(),
            library: None,
            needs: Vec::new(),
            not_static: None,
            runs: Vec::new(),
        };
        for line in comments {
            // Prose may follow the claim: a directive is a single word and a colon.
            let Some((word, rest)) = line.split_once(':').filter(|(word, _)| !word.contains(' ')) else {
                continue;
            };
            let rest = rest.trim();
            match word {
                "run" => case.runs.push(parse_run(rest)?),
                "build" => case.builds.push(words(rest)),
                "library" => case.library = Some(rest.to_string()),
                "static" => {
                    let reason = rest
                        .strip_prefix("no, ")
                        .ok_or_else(|| format!("`{line}` is not `static: no, ..`"))?;
                    case.not_static = Some(reason.to_string());
                }
                "needs" => case.needs.extend(words(rest)),
                _ => return Err(format!("unknown directive `{word}:`")),
            }
        }
        if case.runs.is_empty() {
            return Err("no `run:` line".to_string());
        }
        if case.builds.is_empty() {
            case.builds.push(Vec::new());
        }
        Ok(case)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// Parses `VAR=value .. [under WRAPPER] [args WORD ..] -> clause; clause`.
fn parse_run(line: &str) -> Result<Run, String> {
    let (title, clauses) = line.split_once("->").ok_or_else(|| format!("no `->` in `run: {line}`"))?;
    let mut run = Run {
        title: title.trim().to_string(),
        env: Vec::new(),
        under: None,
        args: Vec::new(),
        expected: parse_expected(clauses)?,
    };
    let mut rest = title.split_whitespace();
    while let Some(word) = rest.next() {
        match word {
            "under" => {
                let wrapper = rest.next().filter(|name| WRAPPERS.contains(name));
                run.under = Some(wrapper.ok_or_else(|| format!("unknown wrapper in `{title}`"))?.to_string());
            }
            "args" => run.args.extend(rest.by_ref().map(str::to_string)),
            _ => {
                let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is no variable"))?;
                run.env.push((name.to_string(), value.to_string()));
            }
        }
    }
    Ok(run)
}

/// Parses the clauses right of the arrow.
fn parse_expected(clauses: &str) -> Result<Expected, String> {
    let mut exit = None;
    let mut verdict = None;
    let mut expected = Expected {
        exit: Exit::Status(0),
        verdict: Verdict::Unchecked,
        checks: Vec::new(),
        child: Verdict::Clean { doubtful: Vec::new() },
        children: None,
        processes: None,
        faults: Vec::new(),
        keeps: Vec::new(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        no_stderr: Vec::new(),
    };
    for clause in clauses.split(';').map(str::trim) {
        let (word, rest) = clause.split_once(' ').unwrap_or((clause, ""));
        let rest = rest.trim();
        match word {
            "exit" => exit = Some(Exit::Status(number(rest)?)),
            "signal" => exit = Some(Exit::Signal(number(rest)?)),
            "child" => expected.child = parse_verdict(rest)?,
            "check" => {
                let (place, rest) = rest.split_once(' ').ok_or_else(|| format!("`{clause}` says nothing"))?;
                expected.checks.push((number(place)?, parse_verdict(rest)?));
            }
            "children" => expected.children = Some(number(rest)?),
            "processes" => expected.processes = Some(number(rest)?),
            "fault" => expected.faults.push(rest.to_string()),
            "keeps" => expected.keeps.push(number(rest)?),
            "stdout" => expected.stdout.push(rest.to_string()),
            "stderr" => expected.stderr.push(rest.to_string()),
            "no-stderr" => expected.no_stderr.push(rest.to_string()),
            _ if verdict.is_some() => return Err(format!("a second verdict `{clause}`")),
            _ => verdict = Some(parse_verdict(clause)?),
        }
    }
    expected.verdict = verdict.ok_or_else(|| format!("no verdict in `{clauses}`"))?;
    let found_something = matches!(expected.verdict, Verdict::Leaks { .. }) || !expected.faults.is_empty();
    expected.exit = exit.unwrap_or(Exit::Status(if found_something { 23 } else { 0 }));
    Ok(expected)
}

fn parse_verdict(text: &str) -> Result<Verdict, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    Ok(match word {
        "clean" => Verdict::Clean { doubtful: parse_items(rest)?.0 },
        "leak" => {
            let (items, open) = parse_items(rest)?;
            if items.is_empty() && !open {
                return Err(format!("`{text}` does not say what leaks"));
            }
            Verdict::Leaks { items, open }
        }
        "no-check" => Verdict::NoCheck(rest.to_string()),
        "no-verdict" => Verdict::NoVerdict(rest.to_string()),
        "unchecked" => Verdict::Unchecked,
        "unfinished" => Verdict::Unfinished,
        "early" => Verdict::Early,
        _ => return Err(format!("unknown clause `{text}`")),
    })
}

/// Parses `[KIND] SIZE[xCOUNT], ..` with a closing `...` when others may leak too.
fn parse_items(text: &str) -> Result<(Vec<Item>, bool), String> {
    let mut items = Vec::new();
    let mut open = false;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part == "..." {
            open = true;
            continue;
        }
        let (kind, amount) = match part.split_once(' ') {
            Some((kind, amount)) if KINDS.contains(&kind) => (Some(kind.to_string()), amount.trim()),
            Some(_) => return Err(format!("unknown kind in `{part}`")),
            None => (None, part),
        };
        let (size, count) = amount.split_once('x').unwrap_or((amount, "1"));
        items.push(Item { kind, size_bytes: number(size)?, blocks: number(count)? });
    }
    Ok((items, open))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Case, String> {
        Case::parse(Path::new("x.c"), text)
    }

    #[test]
    fn a_case_is_its_claim_its_builds_and_its_runs() {
        let case = parse(
            "// A claim.\n// Some prose: with a colon.\n// build: -O0\n// build: -O2 -g\n// needs: gdb\n\
             // run: HEAPCHECK=normal A=b under gdb args x y -> leak direct 1337x2, 48, ...; exit 3; child clean 7\nint x;\n",
        )
        .unwrap();
        assert_eq!(case.claim, "A claim.");
        assert_eq!(case.builds, [vec!["-O0"], vec!["-O2", "-g"]]);
        let run = &case.runs[0];
        assert_eq!(run.env[1], ("A".to_string(), "b".to_string()));
        assert_eq!((run.under.as_deref(), run.args.len()), (Some("gdb"), 2));
        assert_eq!(run.expected.exit, Exit::Status(3));
        let direct = Item { kind: Some("direct".to_string()), size_bytes: 1337, blocks: 2 };
        let any = Item { kind: None, size_bytes: 48, blocks: 1 };
        assert_eq!(run.expected.verdict, Verdict::Leaks { items: vec![direct, any], open: true });
        let doubtful = vec![Item { kind: None, size_bytes: 7, blocks: 1 }];
        assert_eq!(run.expected.child, Verdict::Clean { doubtful });
    }

    #[test]
    fn the_exit_follows_from_the_verdict_where_the_case_is_silent() {
        let exit = |clauses: &str| parse_expected(clauses).unwrap().exit;
        assert_eq!(exit("clean"), Exit::Status(0));
        assert_eq!(exit("leak 1"), Exit::Status(23));
        assert_eq!(exit("clean; fault double-free"), Exit::Status(23));
        assert_eq!(exit("no-check abort; signal 6"), Exit::Signal(6));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let head = |line: &str| parse(&format!("// A claim.\n// {line}\n"));
        for bad in [
            "run: HEAPCHECK=normal",
            "run: normal -> clean",
            "run: -> maybe",
            "run: -> clean; leak 1",
            "run: -> leak",
            "run: -> leak odd 1",
            "run: -> exit 3",
            "run: under cat -> clean",
            "runs: -> clean",
            "static: no",
            "prose only",
        ] {
            assert!(head(bad).is_err(), "{bad}");
        }
        assert!(parse("// no sentence\n// run: -> clean\n").is_err());
    }
}
