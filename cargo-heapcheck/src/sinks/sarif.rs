#![forbid(unsafe_code)]
//! SARIF 2.1.0, for code scanning: a rule for each kind of leak, a result for each leak, recognised by its signature.
//!
//! Leaks of several tests with one signature are one result: services count results by their fingerprints.

use std::collections::BTreeMap;

use heapcheck_rt::record::{FaultKind, LeakKind};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::root::Root;
use crate::excuse::counts;
use crate::explain::{Explained, Explanation, WrongFree};
use crate::human;
use crate::symbols::Frame;
use crate::verdict::Verdict;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The name under which services find the signature; the version changes when signatures do.
const FINGERPRINT: &str = "heapcheckSignature/v1";

/// Writes the report. A result in memory is many times as large as its text, so each is made when it is written.
pub(crate) fn render(units: &[Explained], root: &Root) -> String {
    let mut told: BTreeMap<String, (What<'_>, Vec<&str>)> = BTreeMap::new();
    for unit in units {
        for leak in unit.leaks.iter().filter(|leak| counts(leak) && !leak.is_owned) {
            let entry = told.entry(leak.signature.clone());
            entry.or_insert_with(|| (What::Leak(leak), Vec::new())).1.push(unit.name());
        }
        for fault in &unit.faults {
            let entry = told.entry(fault_result(fault, root).to_string());
            entry.or_insert_with(|| (What::Fault(fault), Vec::new())).1.push(unit.name());
        }
    }
    let unjudged = units.iter().filter_map(|unit| {
        let Verdict::None(reason) = &unit.verdict else { return None };
        let text = format!("no verdict on {}: {reason}", unit.name());
        Some(json!({ "level": "error", "message": { "text": text } }))
    });
    let unjudged: Vec<Value> = unjudged.collect();
    let report = Log {
        schema: SCHEMA,
        runs: [Run {
            invocations: json!([{
                "executionSuccessful": unjudged.is_empty(),
                "toolExecutionNotifications": unjudged,
            }]),
            results: Results { told: told.into_values().collect(), root },
            tool: json!({ "driver": {
                "name": "heapcheck",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules(),
            } }),
        }],
        version: "2.1.0",
    };
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Log<'e> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run<'e>; 1],
    version: &'static str,
}

#[derive(Serialize)]
struct Run<'e> {
    invocations: Value,
    results: Results<'e>,
    tool: Value,
}

/// What a result is about.
enum What<'e> {
    Leak(&'e Explanation),
    Fault(&'e WrongFree),
}

/// The results, each with the tests that it was found in.
struct Results<'e> {
    told: Vec<(What<'e>, Vec<&'e str>)>,
    root: &'e Root,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.told.iter().map(|(what, tests)| {
            let mut result = match what {
                What::Leak(leak) => leak_result(leak, self.root),
                What::Fault(fault) => fault_result(fault, self.root),
            };
            let text = result["message"]["text"].as_str().unwrap_or_default();
            result["message"]["text"] = format!("{text} (in {})", tests.join(", ")).into();
            let named = tests.iter().map(|test| json!({ "fullyQualifiedName": test, "kind": "function" }));
            result["locations"][0]["logicalLocations"] = named.collect();
            result
        }))
    }
}

fn rule_of_kind(kind: LeakKind) -> (String, &'static str, &'static str) {
    let (name, about) = match kind {
        LeakKind::Direct => ("Leak", "Nothing points to a block that was not freed."),
        LeakKind::Indirect => ("IndirectLeak", "Only leaked blocks point to a block that was not freed."),
        LeakKind::Cycle => ("LeakedCycle", "Blocks keep each other alive, and nothing else points to them."),
        LeakKind::Doubtful => {
            ("DoubtfulLeak", "Only doubtful evidence says that a block can still be found.")
        }
        LeakKind::Unfreed => ("UnfreedBlock", "A block was never freed."),
        LeakKind::Growing => ("Growth", "Each repetition of a test leaves more blocks behind."),
    };
    (format!("leak/{}", kind.name()), name, about)
}

fn rule_of_fault(kind: FaultKind) -> (String, &'static str, &'static str) {
    let (name, about) = match kind {
        FaultKind::DoubleFree => ("DoubleFree", "A block was freed twice."),
        FaultKind::InvalidFree => ("InvalidFree", "What is no block was freed."),
        FaultKind::InteriorFree => ("InteriorFree", "A pointer into the middle of a block was freed."),
    };
    (format!("free/{}", kind.name().replace(' ', "-")), name, about)
}

fn rules() -> Vec<Value> {
    let leaks = LeakKind::ALL.iter().map(|kind| rule_of_kind(*kind));
    let faults = FaultKind::ALL.iter().map(|kind| rule_of_fault(*kind));
    let rule = |(id, name, about): (String, &str, &str)| {
        json!({ "id": id, "name": name, "shortDescription": { "text": about },
            "defaultConfiguration": { "level": "error" } })
    };
    leaks.chain(faults).map(rule).collect()
}

fn leak_result(leak: &Explanation, root: &Root) -> Value {
    json!({
        "ruleId": rule_of_kind(leak.kind).0,
        "level": "error",
        "message": { "text": human::headline(leak) },
        "locations": [location(&leak.trace[leak.own.unwrap_or(0)..], root)],
        "partialFingerprints": { FINGERPRINT: leak.signature },
        "stacks": [stack("allocated here", &leak.trace, root)],
        "properties": { "bytes": leak.bytes, "blocks": leak.blocks, "retainedBytes": leak.retained_bytes,
            "type": leak.allocated },
    })
}

fn fault_result(fault: &WrongFree, root: &Root) -> Value {
    let first = fault.stacks.first().map_or(&[][..], |(_, frames)| frames);
    let known = FaultKind::ALL.iter().find(|kind| kind.name() == fault.what).copied();
    json!({
        "ruleId": rule_of_fault(known.unwrap_or(FaultKind::InvalidFree)).0,
        "level": "error",
        "message": { "text": fault.what },
        "locations": [location(first, root)],
        "stacks": fault.stacks.iter().map(|(what, frames)| stack(what, frames, root)).collect::<Vec<_>>(),
    })
}

/// The first own line, as a place that a service can show.
fn location(trace: &[Frame], root: &Root) -> Value {
    match root.own_line(trace) {
        Some((file, frame)) => json!({ "physicalLocation": physical(&file, frame) }),
        None => json!({}),
    }
}

fn physical(file: &str, frame: &Frame) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": uri(file), "uriBaseId": "%SRCROOT%" } });
    if let Some(line) = frame.line {
        place["region"] = json!({ "startLine": line });
        if let Some(column) = frame.column {
            place["region"]["startColumn"] = column.into();
        }
    }
    place
}

fn stack(what: &str, frames: &[Frame], root: &Root) -> Value {
    let frames = frames.iter().map(|frame| {
        let file = frame.file.as_deref().and_then(|file| root.relative(file));
        let mut location = json!({ "message": { "text": frame.function } });
        if let Some(file) = file {
            location["physicalLocation"] = physical(&file, frame);
        }
        json!({ "location": location, "module": frame.module })
    });
    json!({ "message": { "text": what }, "frames": frames.collect::<Vec<_>>() })
}

/// A relative path as a URI (RFC 3986): what is no plain character of a path is written as `%XX`.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte as char)
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("src/a b/ü#1.rs"), "src/a%20b/%C3%BC%231.rs");
    }
}
