#![forbid(unsafe_code)]
//! The second opinion: what LeakSanitizer says of a case, in the words that a case's own claim can be reduced to, and the
//! table of agreed differences.
//!
//! Kinds are not compared: LeakSanitizer knows no cycles and no doubt. Bytes and blocks are.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::{Case, Run, Verdict};
use crate::judge::Observed;

/// An opinion on one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Nothing leaked.
    Clean,
    /// These bytes in these blocks leaked.
    Leak {
        /// Their bytes.
        bytes: u64,
        /// How many blocks.
        blocks: u64,
    },
    /// Something leaked; the case names only a part.
    SomeLeak,
    /// No opinion, with what happened instead.
    Other(String),
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opinion::Clean => f.write_str("clean"),
            Opinion::Leak { bytes, blocks } => write!(f, "{bytes} bytes in {blocks}"),
            Opinion::SomeLeak => f.write_str("some leak"),
            Opinion::Other(what) => f.write_str(what),
        }
    }
}

impl Opinion {
    /// Whether two opinions are the same as far as they go.
    pub fn agrees(&self, other: &Opinion) -> bool {
        match (self, other) {
            (Opinion::SomeLeak, Opinion::Leak { .. }) | (Opinion::Leak { .. }, Opinion::SomeLeak) => true,
            _ => self == other,
        }
    }
}

/// The run of `case` that says what plain normal mode finds, with its opinion. `None` when the case has no such run.
pub fn claim_of(case: &Case) -> Option<(&Run, Opinion)> {
    let plain = |run: &&Run| {
        let normal = run.env.iter().any(|(name, value)| name == "HEAPCHECK" && value == "normal");
        let other = run.env.iter().any(|(name, _)| name.starts_with("HEAPCHECK_"));
        normal && !other && run.under.is_none()
    };
    let run = case.runs.iter().find(plain)?;
    let opinion = match &run.expected.verdict {
        Verdict::Clean { .. } => Opinion::Clean,
        Verdict::Leaks { open: true, .. } => Opinion::SomeLeak,
        Verdict::Leaks { items, .. } => Opinion::Leak {
            bytes: items.iter().map(|item| item.size_bytes * item.blocks).sum(),
            blocks: items.iter().map(|item| item.blocks).sum(),
        },
        // Silence is all that LeakSanitizer has for these.
        Verdict::NoCheck(_)
        | Verdict::NoVerdict(_)
        | Verdict::Unchecked
        | Verdict::Unfinished
        | Verdict::Early => return None,
    };
    Some((run, opinion))
}

/// Reads LeakSanitizer's opinion of the first process from what it wrote to stderr.
pub fn opinion_of(observed: &Observed) -> Opinion {
    let Some(_) = observed.exit else { return Opinion::Other("hangs".to_string()) };
    let start = format!("=={}==", observed.pid);
    let begins = |line: &str| line.starts_with(&start) && !line.contains("WARNING: ");
    let mut said = observed.stderr.lines().skip_while(|line| !begins(line)).peekable();
    if said.peek().is_none() {
        return Opinion::Clean;
    }
    for line in said {
        if line.contains("LeakSanitizer has encountered a fatal error") {
            return Opinion::Other("fatal error".to_string());
        }
        if line.contains("ERROR: LeakSanitizer: ") && !line.contains("detected memory leaks") {
            let what = line.split("LeakSanitizer: ").nth(1).unwrap_or_default();
            return Opinion::Other(what.split_whitespace().next().unwrap_or_default().to_string());
        }
        if let Some(summary) = line.strip_prefix("SUMMARY: LeakSanitizer: ") {
            let numbers: Vec<u64> = summary.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            if let [bytes, blocks] = numbers[..] {
                return Opinion::Leak { bytes, blocks };
            }
        }
    }
    Opinion::Other("no summary".to_string())
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What LeakSanitizer says: an opinion as it is written, `varies`, or `not run`.
    pub says: String,
    /// Why heapcheck's answer is another one.
    pub reason: String,
}

/// Parses the table: `case | what LeakSanitizer says | why we differ`, comments with `#`.
pub fn parse_differences(text: &str) -> Result<BTreeMap<String, Difference>, String> {
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let mut cells = line.splitn(3, '|').map(|cell| cell.trim().to_string());
        let (Some(case), Some(says), Some(reason)) = (cells.next(), cells.next(), cells.next()) else {
            return Err(format!("`{line}` has not three cells"));
        };
        if reason.is_empty() || table.insert(case.clone(), Difference { says, reason }).is_some() {
            return Err(format!("`{case}` has no reason, or two rows"));
        }
    }
    Ok(table)
}

/// Says whether `says` about `case` is agreed: the same as `claim`, or as in the table's row.
pub fn compare(case: &str, claim: &Opinion, says: &Opinion, row: Option<&Difference>) -> Result<(), String> {
    match row {
        None if claim.agrees(says) => Ok(()),
        None => Err(format!(
            "LeakSanitizer says `{says}`, the case claims `{claim}`; to agree: {case} | {says} | <reason>"
        )),
        Some(row) if row.says == "varies" || row.says == says.to_string() => Ok(()),
        Some(row) => {
            Err(format!("LeakSanitizer says `{says}`, the table `{}`, the case `{claim}`", row.says))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Exit;
    use std::path::Path;

    fn opinion(stderr: &str) -> Opinion {
        let observed = Observed {
            pid: 7,
            exit: Some(Exit::Status(23)),
            stdout: String::new(),
            stderr: stderr.to_string(),
            processes: Vec::new(),
        };
        opinion_of(&observed)
    }

    #[test]
    fn the_first_process_has_the_word() {
        let report = "==7==ERROR: LeakSanitizer: detected memory leaks\n\
                      SUMMARY: LeakSanitizer: 1001 byte(s) leaked in 2 allocation(s).\n";
        assert_eq!(opinion(report), Opinion::Leak { bytes: 1001, blocks: 2 });
        assert_eq!(opinion(&report.replace("==7==", "==8==")), Opinion::Clean);
        assert_eq!(opinion("==7==WARNING: LeakSanitizer failed to allocate\n"), Opinion::Clean);
        assert_eq!(opinion("==7==LeakSanitizer has encountered a fatal error.\n").to_string(), "fatal error");
        assert_eq!(opinion("==7==ERROR: LeakSanitizer: SEGV on unknown\n").to_string(), "SEGV");
    }

    #[test]
    fn the_claim_of_a_case_is_that_of_plain_normal_mode() {
        let claim = |runs: &str| {
            let case = Case::parse(Path::new("x.c"), &format!("// A claim.\n{runs}")).unwrap();
            claim_of(&case).map(|(_, opinion)| opinion.to_string())
        };
        let first =
            "// run: HEAPCHECK=strict -> leak 5\n// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all -> leak 5\n";
        assert_eq!(claim(first), None);
        assert_eq!(
            claim(&format!("{first}// run: HEAPCHECK=normal -> leak 7x3, 1\n")).unwrap(),
            "22 bytes in 4"
        );
    }

    #[test]
    fn only_agreed_differences_pass() {
        let table =
            parse_differences("# head\na.c | 5 bytes in 1 | it knows no x\nb.c | varies | luck\n").unwrap();
        let (clean, leak) = (Opinion::Clean, Opinion::Leak { bytes: 5, blocks: 1 });
        assert!(compare("a.c", &clean, &leak, table.get("a.c")).is_ok());
        assert!(
            compare("a.c", &clean, &clean, table.get("a.c")).is_err(),
            "an agreed difference that is gone"
        );
        assert!(compare("b.c", &clean, &leak, table.get("b.c")).is_ok());
        assert!(compare("c.c", &clean, &leak, None).is_err());
        assert!(compare("c.c", &clean, &clean, None).is_ok());
        assert!(parse_differences("a.c | clean\n").is_err());
    }
}
