#![forbid(unsafe_code)]
//! Compares what a run left with what its case claims. Pure: it gives complaints, and nothing when all is as claimed.

use crate::case::{Exit, Expected, Item, Verdict};
use crate::outcome::{Ending, LeakLine, Process};

/// What a run left.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The number of its first process.
    pub pid: u32,
    /// How the program ended; `None` when it had to be killed after the time limit.
    pub exit: Option<Exit>,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
    /// Its records, in order of their beginning.
    pub processes: Vec<Process>,
}

/// Says everything in which `observed` is not as `expected`.
pub fn judge(expected: &Expected, observed: &Observed) -> Vec<String> {
    let mut complaints = Vec::new();
    match observed.exit {
        None => complaints.push("it did not end within the time limit".to_string()),
        Some(exit) if exit != expected.exit => {
            complaints.push(format!("it ended with {exit:?}, expected {:?}", expected.exit));
        }
        Some(_) => {}
    }
    judge_processes(expected, &observed.processes, &mut complaints);
    for (parts, text, place, wanted) in [
        (&expected.stdout, &observed.stdout, "stdout", true),
        (&expected.stderr, &observed.stderr, "stderr", true),
        (&expected.no_stderr, &observed.stderr, "stderr", false),
    ] {
        for part in parts.iter().filter(|part| text.contains(part.as_str()) != wanted) {
            let holds = if wanted { "lacks" } else { "holds" };
            complaints.push(format!("its {place} {holds} `{part}`"));
        }
    }
    complaints
}

fn judge_processes(expected: &Expected, processes: &[Process], complaints: &mut Vec<String>) {
    if let Some(count) = expected.processes
        && count != processes.len()
    {
        complaints.push(format!("{} processes left a record, expected {count}", processes.len()));
    }
    let first = processes.iter().find(|process| !process.forked);
    match first {
        None if expected.verdict == Verdict::Unchecked => {}
        None => complaints.push("it left no record".to_string()),
        Some(first) => {
            complaints.extend(judge_ending(&expected.verdict, first));
            for (place, verdict) in &expected.checks {
                match first.checks.get(place - 1) {
                    None => complaints.push(format!("check {place} did not run")),
                    Some(check) => {
                        complaints.extend(
                            judge_leaks(verdict, &check.leaks).map(|text| format!("check {place}: {text}")),
                        );
                    }
                }
            }
            if first.faults != expected.faults {
                complaints.push(format!("diagnoses {:?}, expected {:?}", first.faults, expected.faults));
            }
            for bytes in &expected.keeps {
                let leaks = first.leaks();
                if !leaks.iter().any(|leak| leak.retained_bytes == *bytes) {
                    complaints.push(format!("no leak keeps {bytes} bytes: {}", describe(&leaks)));
                }
            }
        }
    }
    let children: Vec<&Process> = processes.iter().filter(|process| process.forked).collect();
    if let Some(count) = expected.children
        && count != children.len()
    {
        complaints.push(format!("{} forked processes left a record, expected {count}", children.len()));
    }
    if children.is_empty() && matches!(expected.child, Verdict::Leaks { .. }) {
        complaints.push("no forked process left a record".to_string());
    }
    // A storm of forks would repeat itself: the first few tell enough.
    let wrong = children.into_iter().filter_map(|child| judge_ending(&expected.child, child));
    complaints.extend(wrong.take(3).map(|text| format!("forked process: {text}")));
}

/// Says in what the end of `process` differs from `verdict`.
fn judge_ending(verdict: &Verdict, process: &Process) -> Option<String> {
    let fits = match (verdict, &process.ending) {
        (Verdict::Clean { .. }, Ending::Clean) | (Verdict::Leaks { .. }, Ending::Leaked) => true,
        // Diagnoses at free time fail a process that leaks nothing.
        (Verdict::Clean { .. }, Ending::Leaked) => !process.faults.is_empty(),
        (Verdict::NoCheck(word), Ending::NoCheck(reason))
        | (Verdict::NoVerdict(word), Ending::NoVerdict(reason)) => reason.contains(word.as_str()),
        (Verdict::Unfinished | Verdict::Early, Ending::Unfinished) => true,
        (Verdict::Early, Ending::NoCheck(_)) => true,
        _ => false,
    };
    let leaks = process.leaks();
    if !fits {
        return Some(format!(
            "its record ends with {:?} ({}; notes {:?}), expected {verdict:?}",
            process.ending,
            describe(&leaks),
            process.notes
        ));
    }
    judge_leaks(verdict, &leaks)
}

/// Says in what `leaks` differ from `verdict`.
fn judge_leaks(verdict: &Verdict, leaks: &[LeakLine]) -> Option<String> {
    let (items, open, doubt): (&[Item], bool, bool) = match verdict {
        Verdict::Clean { doubtful } => (doubtful, doubtful.is_empty(), true),
        Verdict::Leaks { items, open } => (items, *open, false),
        _ => return None,
    };
    let mut counted: Vec<&LeakLine> = leaks.iter().filter(|leak| !leak.suppressed).collect();
    if matches!(verdict, Verdict::Clean { .. }) && counted.iter().any(|leak| leak.kind != "doubtful") {
        return Some(format!("expected no leak, got {}", describe(leaks)));
    }
    let said = |item: &Item| {
        let kind = item.kind.as_deref().unwrap_or("any");
        format!("{kind} {}x{}, got {}", item.size_bytes, item.blocks, describe(leaks))
    };
    // The kinds first: an item of any kind takes what they leave.
    let (exact, any): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.kind.is_some());
    for item in exact.into_iter().chain(any) {
        let kind = if doubt { Some("doubtful") } else { item.kind.as_deref() };
        let mut wanted = item.blocks;
        counted.retain(|leak| {
            let fits = kind.is_none_or(|kind| kind == leak.kind)
                && leak.bytes == item.size_bytes * leak.blocks
                && leak.blocks <= wanted;
            wanted -= if fits { leak.blocks } else { 0 };
            !fits
        });
        if wanted > 0 {
            return Some(format!("expected {}", said(item)));
        }
    }
    // In a run that leaks, doubtful blocks are told beside the leaks and count as none.
    let surplus = counted.iter().any(|leak| doubt || leak.kind != "doubtful");
    (surplus && !open).then(|| format!("expected no more than {items:?}, got {}", describe(leaks)))
}

/// Writes leaks as a case would.
fn describe(leaks: &[LeakLine]) -> String {
    if leaks.is_empty() {
        return "no leak".to_string();
    }
    let one = |leak: &LeakLine| {
        let suppressed = if leak.suppressed { " (suppressed)" } else { "" };
        let size = if leak.blocks > 0 && leak.bytes == leak.largest_bytes * leak.blocks {
            format!("{}x{}", leak.largest_bytes, leak.blocks)
        } else {
            format!("{} bytes in {} blocks", leak.bytes, leak.blocks)
        };
        format!("{} {size} keeps {}{suppressed}", leak.kind, leak.retained_bytes)
    };
    leaks.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::outcome::Check;
    use std::path::Path;

    fn leak(kind: &str, size: u64, blocks: u64) -> LeakLine {
        LeakLine {
            kind: kind.to_string(),
            blocks,
            bytes: size * blocks,
            largest_bytes: size,
            retained_bytes: 7,
            suppressed: false,
            scope: 0,
        }
    }

    fn process(ending: Ending, leaks: Vec<LeakLine>) -> Process {
        Process {
            exe: String::new(),
            forked: false,
            start_time_ns: 0,
            ending,
            checks: vec![Check { scope: 0, leaks }],
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Judges `processes`, whose program ended with `exit`, by the clauses of a case.
    #[track_caller]
    fn check(clauses: &str, exit: i32, processes: Vec<Process>, passes: bool) {
        let case = Case::parse(Path::new("x.c"), &format!("// A claim.\n// run: -> {clauses}\n")).unwrap();
        let observed = Observed {
            pid: 1,
            exit: Some(Exit::Status(exit)),
            stdout: "some words".to_string(),
            stderr: String::new(),
            processes,
        };
        let complaints = judge(&case.runs[0].expected, &observed);
        assert_eq!(complaints.is_empty(), passes, "{clauses}: {complaints:?}");
    }

    #[test]
    fn leaks_are_compared_exactly() {
        let run = |clauses: &str, passes| {
            let leaks = vec![leak("direct", 1337, 2), leak("indirect", 48, 1), leak("doubtful", 9, 1)];
            check(clauses, 23, vec![process(Ending::Leaked, leaks)], passes);
        };
        run("leak direct 1337x2, indirect 48", true);
        run("leak 48, 1337x2", true);
        run("leak 48, ...", true);
        run("leak ...", true);
        run("leak 1337x2, 48; keeps 7", true);
        run("leak 1337x2, 48; keeps 8", false);
        run("leak 1337x2", false);
        run("leak 1337x3, 48", false);
        run("leak 1337, 48", false);
        run("leak cycle 1337x2, 48", false);
        run("clean; exit 23", false);
        run("unchecked; exit 23", false);
    }

    #[test]
    fn equal_blocks_of_several_traces_add_up() {
        let leaks = vec![leak("direct", 16, 1), leak("direct", 16, 2)];
        check("leak 16x3", 23, vec![process(Ending::Leaked, leaks)], true);
    }

    #[test]
    fn doubtful_blocks_do_not_fail_a_clean_run() {
        let processes = || vec![process(Ending::Clean, vec![leak("doubtful", 9, 1)])];
        check("clean", 0, processes(), true);
        check("clean 9", 0, processes(), true);
        check("clean 8", 0, processes(), false);
        check("clean", 0, vec![process(Ending::Clean, Vec::new())], true);
        check("clean 9", 0, vec![process(Ending::Clean, Vec::new())], false);
    }

    #[test]
    fn a_record_that_is_missing_or_has_no_end_is_never_clean() {
        check("clean", 0, Vec::new(), false);
        check("clean", 0, vec![process(Ending::Unfinished, Vec::new())], false);
        check("unfinished", 0, vec![process(Ending::Unfinished, Vec::new())], true);
        check("no-check abort", 0, vec![process(Ending::NoCheck("by abort".to_string()), Vec::new())], true);
        check("early", 0, vec![process(Ending::NoCheck("by abort".to_string()), Vec::new())], true);
        check("early", 0, vec![process(Ending::Unfinished, Vec::new())], true);
        check("early", 0, vec![process(Ending::Clean, Vec::new())], false);
        check("no-check quick", 0, vec![process(Ending::NoCheck("by abort".to_string()), Vec::new())], false);
    }

    #[test]
    fn forked_processes_are_clean_unless_the_case_says_otherwise() {
        let family = || {
            let mut child = process(Ending::Leaked, vec![leak("direct", 5, 1)]);
            child.forked = true;
            vec![process(Ending::Clean, Vec::new()), child]
        };
        check("clean", 0, family(), false);
        check("clean; child leak 5; children 1; processes 2", 0, family(), true);
        check("clean; child leak 5; children 2", 0, family(), false);
        check("clean; child leak 5", 0, vec![process(Ending::Clean, Vec::new())], false);
    }

    #[test]
    fn exit_output_and_diagnoses_are_compared() {
        check("clean", 1, vec![process(Ending::Clean, Vec::new())], false);
        check("clean; stdout words", 0, vec![process(Ending::Clean, Vec::new())], true);
        check("clean; stderr words", 0, vec![process(Ending::Clean, Vec::new())], false);
        let mut faulty = process(Ending::Leaked, Vec::new());
        faulty.faults.push("double-free".to_string());
        check("clean; fault double-free", 23, vec![faulty.clone()], true);
        check("clean; exit 23", 23, vec![faulty], false);
    }
}
