#![forbid(unsafe_code)]
//! Excuses leaks, and judges anew what is left: suppressions first, then the baseline, then what tests may leak. A wrong
//! free is never excused.

mod suppress;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use heapcheck_rt::record::{LeakKind, Record};

use crate::config::baseline::{Key, Known};
use crate::config::plan::Plan;
use crate::config::suppression::Suppression;
use crate::excused::{By, Excused};
use crate::explain::{Explained, Explanation, explain};
use crate::figures::{bytes, counted};
use crate::run::Unit;
use crate::symbols::{Symbols, place};
use crate::verdict::{Verdict, fails_by_attribute};

const BY_ATTRIBUTE: &str =
    "its `#[heapcheck]` judges inside the test: there only `leak:` files of suppressions count";

/// Explains the records of a unit, and excuses what the plan excuses. `rest` is the verdict when no leak is left.
pub(crate) fn explain_excused(
    unit: &Unit,
    mut records: Vec<Record>,
    verdict: Verdict,
    rest: Verdict,
    plan: &Plan,
    symbols: &mut Symbols,
) -> Explained {
    if verdict != Verdict::Leaked {
        return explain(unit, &records, verdict, symbols);
    }
    let subject = unit.subject();
    let has_failed_by_itself = records.iter().any(fails_by_attribute);
    let suppressed = suppress::apply(&mut records, &plan.suppressions, &subject, symbols);
    let mut explained = explain(unit, &records, verdict, symbols);
    explained.excused = suppressed.excused;
    explained.notes.extend(suppressed.notes);
    accept_known(&mut explained, &plan.known);
    let allowed = plan.settings(&subject).max_leaked_bytes;
    if explained.faults.is_empty() && (1..=allowed).contains(&explained.leaked_bytes) {
        for leak in std::mem::take(&mut explained.leaks) {
            match counts(&leak) {
                true => explained.excuse(&leak, By::Limit { max_leaked_bytes: allowed }),
                false => explained.leaks.push(leak),
            }
        }
    }
    if explained.leaked_blocks == 0 && explained.faults.is_empty() && !explained.excused.is_empty() {
        match has_failed_by_itself {
            // The attribute judges inside the test, where nobody knows of what is excused here.
            true => explained.notes.push(BY_ATTRIBUTE.to_string()),
            false => explained.verdict = rest,
        }
    }
    explained
}

/// Whether a leak is in the sums of its unit: those leave out what is only doubtful.
pub(crate) fn counts(leak: &Explanation) -> bool {
    leak.kind != LeakKind::Doubtful
}

impl Explained {
    fn excuse(&mut self, leak: &Explanation, by: By) {
        if counts(leak) {
            self.leaked_bytes = self.leaked_bytes.saturating_sub(leak.bytes);
            self.leaked_blocks = self.leaked_blocks.saturating_sub(leak.blocks);
        }
        let own = leak.own.map(|own| &leak.trace[own]);
        self.excused.push(Excused {
            by,
            kind: leak.kind,
            bytes: leak.bytes,
            blocks: leak.blocks,
            allocated: leak.allocated.clone(),
            function: own.map(|frame| frame.function.to_string()),
            place: own.and_then(place),
            signature: Some(leak.signature.clone()),
        });
    }

    /// What a leak of this signature is known by in a baseline.
    pub(crate) fn key(&self, signature: &str) -> Key {
        Key {
            program: self.program.clone(),
            test: self.test.clone().unwrap_or_default(),
            signature: signature.to_string(),
        }
    }

    /// Everything that a baseline has to have for the leaks of this unit to be accepted, as it is now.
    pub(crate) fn all_known(&self) -> Vec<Known> {
        let leaks = self.leaks.iter().filter(|leak| counts(leak)).map(|leak| {
            let own = leak.own.map(|own| &leak.trace[own]);
            let function = own.map(|frame| &*frame.function);
            let place = own.and_then(place);
            let about = about(leak.kind, leak.allocated.as_deref(), function, place.as_deref());
            (leak.kind, &leak.signature, leak.bytes, leak.blocks, about)
        });
        let accepted = self.excused.iter().filter(|excused| excused.by == By::Baseline).filter_map(|each| {
            let Excused { kind, allocated, function, place, .. } = each;
            let about = about(*kind, allocated.as_deref(), function.as_deref(), place.as_deref());
            Some((*kind, each.signature.as_ref()?, each.bytes, each.blocks, about))
        });
        let mut all: BTreeMap<Key, Known> = BTreeMap::new();
        for (kind, signature, bytes, blocks, about) in leaks.chain(accepted) {
            let key = self.key(signature);
            let known = all.entry(key.clone()).or_insert_with(|| Known {
                key,
                kind: kind.name().to_string(),
                bytes: 0,
                blocks: 0,
                about,
            });
            (known.bytes, known.blocks) = (known.bytes + bytes, known.blocks + blocks);
        }
        all.into_values().collect()
    }
}

fn about(kind: LeakKind, allocated: Option<&str>, function: Option<&str>, place: Option<&str>) -> String {
    let part = |before: &str, text: Option<&str>, after: &str| {
        text.map(|text| format!("{before}{text}{after}")).unwrap_or_default()
    };
    format!(
        "{} leak{}{}{}",
        kind.name(),
        part(" of `", allocated, "`"),
        part(" in `", function, "`"),
        part(" at ", place, "")
    )
}

/// Excuses what the baseline has. Leaks of one signature are compared together.
fn accept_known(unit: &mut Explained, known: &[Known]) {
    let mut sums: BTreeMap<Key, (u64, u64, String)> = BTreeMap::new();
    for leak in unit.leaks.iter().filter(|leak| counts(leak)) {
        let function = leak.own.map(|own| format!(" in `{}`", leak.trace[own].function)).unwrap_or_default();
        let (bytes, blocks, _) = sums.entry(unit.key(&leak.signature)).or_insert((0, 0, function));
        (*bytes, *blocks) = (*bytes + leak.bytes, *blocks + leak.blocks);
    }
    let mut accepted: HashSet<String> = HashSet::new();
    for known in known {
        let Some((now_bytes, now_blocks, function)) = sums.get(&known.key) else { continue };
        if *now_bytes <= known.bytes && *now_blocks <= known.blocks {
            accepted.insert(known.key.signature.clone());
        } else {
            unit.notes.push(format!(
                "the leak{function} has grown: it has {} in {}, the baseline {} in {}",
                bytes(*now_bytes),
                counted(*now_blocks, "block"),
                bytes(known.bytes),
                counted(known.blocks, "block")
            ));
        }
    }
    for leak in std::mem::take(&mut unit.leaks) {
        match counts(&leak) && accepted.contains(&leak.signature) {
            true => unit.excuse(&leak, By::Baseline),
            false => unit.leaks.push(leak),
        }
    }
}

/// A suppression that a person may paste, for the heaviest leak of all: the others are excused by such a one of their own.
pub(crate) fn suggestion(units: &[Explained]) -> String {
    let leaks = units.iter().filter(|unit| unit.verdict == Verdict::Leaked).flat_map(|unit| &unit.leaks);
    let heaviest = leaks.filter(|leak| !leak.is_owned && counts(leak)).max_by_key(|leak| {
        // Of equal ones the one that is told first.
        (leak.bytes + leak.retained_bytes, std::cmp::Reverse(&leak.signature))
    });
    let Some(leak) = heaviest else { return String::new() };
    let function = leak.own.map(|own| &*leak.trace[own].function);
    let mut told = "heapcheck: to excuse a leak that has to stay, in `.config/heapcheck.toml`:\n".to_string();
    for line in Suppression::suggest(function, leak.kind, leak.allocated.as_deref()).lines() {
        let _ = writeln!(told, "    {line}");
    }
    told
}
