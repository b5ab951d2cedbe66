#![forbid(unsafe_code)]
//! The report for machines as it is written and read: one type for each kind of object. `docs/report.schema.json` is made of
//! it.
//!
//! A field that is added leaves the version alone; a reader ignores what it does not know.

use std::sync::Arc;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::excused::By;

/// Changes when a reader of the last one would misread.
pub(crate) const VERSION: u32 = 1;

/// What heapcheck found in a run, or in several that were merged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Report {
    /// The version of this format.
    pub(crate) version: u32,
    /// The program that wrote it, and its version.
    pub(crate) tool: String,
    /// What it all comes to.
    pub(crate) outcome: Outcome,
    /// Bytes that leaked and are not excused.
    pub(crate) leaked_bytes: u64,
    /// Blocks that leaked and are not excused.
    pub(crate) leaked_blocks: u64,
    /// Bytes that suppressions have excused.
    pub(crate) suppressed_bytes: u64,
    /// The tests.
    pub(crate) tests: Vec<Unit>,
    /// Programs that were checked as a whole, among them doctests; `name` is null.
    pub(crate) programs: Vec<Unit>,
    /// Leaks that count.
    pub(crate) leaks: Vec<Leak>,
    /// Leaks that do not count, and why.
    pub(crate) excused: Vec<Excused>,
    /// Wrong frees.
    pub(crate) faults: Vec<Fault>,
    /// What else there is to know.
    pub(crate) notes: Vec<Note>,
}

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Everything was checked, and nothing leaked that counts.
    Clean,
    /// Something leaked, or was freed wrongly.
    Leaked,
    /// Something was not checked.
    NoVerdict,
}

/// A test, or a program without tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Unit {
    /// The test.
    pub(crate) name: Option<String>,
    /// The program that it is in.
    pub(crate) program: String,
    /// What is known about it.
    pub(crate) outcome: UnitOutcome,
    /// Why there is no verdict.
    pub(crate) reason: Option<String>,
    /// Bytes that leaked and are not excused.
    pub(crate) leaked_bytes: u64,
    /// Blocks that leaked and are not excused.
    pub(crate) leaked_blocks: u64,
    /// Bytes that suppressions have excused.
    pub(crate) suppressed_bytes: u64,
    /// Bytes that were in use at its end, leaked or not; null unless the run had `--in-use`.
    #[serde(default)]
    pub(crate) in_use_bytes: Option<u64>,
    /// The number of those blocks.
    #[serde(default)]
    pub(crate) in_use_blocks: Option<u64>,
    /// How long it ran, both times together when it ran twice; null where that is not known.
    #[serde(default)]
    pub(crate) took_ms: Option<u64>,
    /// What it printed, when it did not pass; of much text the beginning and the end.
    #[serde(default)]
    pub(crate) output: Option<String>,
}

/// What is known about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnitOutcome {
    /// It was checked, and nothing leaked that counts.
    Clean,
    /// Something leaked, or was freed wrongly.
    Leaked,
    /// It failed by itself.
    Failed,
    /// It was killed because its time was over.
    TimedOut,
    /// It is not checked, as configured.
    Unchecked,
    /// Nobody knows.
    NoVerdict,
}

/// How a leak hangs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Nothing points to it.
    Direct,
    /// Only leaked blocks point to it.
    Indirect,
    /// It is part of a cycle that nothing else points to.
    Cycle,
    /// Only doubtful evidence keeps it; it does not count.
    Doubtful,
    /// It is reachable, but was not freed (mode `draconian`).
    Unfreed,
    /// It is reachable, and each repetition of the test adds to it.
    Growing,
}

/// Blocks that leaked in one test and that a person would call the same leak.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Leak {
    /// How it hangs together.
    pub(crate) kind: Kind,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// Its blocks.
    pub(crate) blocks: u64,
    /// Bytes of other blocks that only it keeps alive.
    pub(crate) retained_bytes: u64,
    /// The number of those.
    pub(crate) retained_blocks: u64,
    /// Bytes of the largest block.
    pub(crate) largest_bytes: u64,
    /// How often it happened: blocks, and of a cycle the number of equal cycles.
    pub(crate) instances: u64,
    /// Whether it only hangs on another leak, in whose tree (`kept`) it is told.
    pub(crate) owned: bool,
    /// The type of its blocks.
    #[serde(rename = "type")]
    pub(crate) of_type: Option<String>,
    /// The same with the modules of everything, where debug information has it.
    pub(crate) type_full: Option<String>,
    /// The program that leaked it.
    pub(crate) program: String,
    /// The test that did.
    pub(crate) test: Option<String>,
    /// The thread that allocated most of it.
    pub(crate) thread: String,
    /// Whether that is the thread of the test or program itself.
    pub(crate) own_thread: bool,
    /// The number of threads that did.
    pub(crate) threads: usize,
    /// Other lines that equal leaks come from.
    pub(crate) also: Vec<Also>,
    /// Of what was never freed, the way from a root to one of its blocks.
    pub(crate) held_by: Option<Way>,
    /// What can be done about it.
    pub(crate) help: Vec<String>,
    /// The same for the same leak in other runs and builds.
    pub(crate) signature: String,
    /// Whether the stack goes on.
    pub(crate) truncated: bool,
    /// Where in `trace` the reader's own code begins.
    pub(crate) own: Option<usize>,
    /// Whether its cycle is how a collection is built, so that nothing is wrong with it but that it was lost.
    pub(crate) structure: bool,
    /// The blocks of one cycle, in the order of their pointers.
    pub(crate) members: Vec<Member>,
    /// What else lies in the cycles.
    pub(crate) others: Vec<Branch>,
    /// What it keeps alive, as a tree.
    pub(crate) kept: Vec<Branch>,
    /// The stack of the allocation, innermost first.
    pub(crate) trace: Vec<Frame>,
}

/// What keeps a block alive: a root, and the blocks from there on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Way {
    /// What holds the first block.
    pub(crate) root: String,
    /// Where in a variable the pointer lies.
    pub(crate) offset: Option<u64>,
    /// How many blocks in the middle are not known.
    pub(crate) omitted: Option<u32>,
    /// Before which of `blocks` those lie.
    pub(crate) omitted_before: Option<usize>,
    /// The blocks, the last one of which is explained.
    pub(crate) blocks: Vec<WayBlock>,
}

/// A block on the way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct WayBlock {
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) of_type: Option<String>,
    /// Its size.
    pub(crate) bytes: u64,
    /// Where it was allocated.
    pub(crate) place: Option<String>,
    /// Where in it the pointer to the next one lies; null in the last.
    pub(crate) offset: Option<u64>,
    /// The field that lies there.
    pub(crate) field: Option<String>,
}

/// Another line that a leak comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Also {
    /// The file and line.
    pub(crate) place: String,
    /// Blocks from there.
    pub(crate) blocks: u64,
}

/// A block of a cycle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Member {
    /// Its size.
    pub(crate) bytes: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) of_type: Option<String>,
    /// Where it was allocated.
    pub(crate) place: Option<String>,
    /// Where in it the pointer to the next one lies.
    pub(crate) offset: Option<u64>,
    /// The field that lies there.
    pub(crate) field: Option<String>,
    /// Whether that is a raw pointer, of which its type does not tell if it keeps anything alive.
    #[serde(default)]
    pub(crate) raw: bool,
    /// How many blocks like it are in the cycle.
    pub(crate) alike: u64,
}

/// Blocks of one type that a leak keeps alive in one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Branch {
    /// Their type.
    #[serde(rename = "type")]
    pub(crate) of_type: Option<String>,
    /// The field that leads to them.
    pub(crate) field: Option<String>,
    /// The offset of that, if it is the same for all.
    pub(crate) offset: Option<u64>,
    /// Where they were allocated, if all of them were there.
    pub(crate) place: Option<String>,
    /// The number of cycles among them.
    pub(crate) cycles: u64,
    /// Their number.
    pub(crate) blocks: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// What hangs on them.
    pub(crate) below: Vec<Branch>,
}

/// One line of a call stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Frame {
    /// The function.
    pub(crate) function: Arc<str>,
    /// The source file.
    pub(crate) file: Option<Arc<str>>,
    /// The line in it.
    pub(crate) line: Option<u32>,
    /// The column in that.
    pub(crate) column: Option<u32>,
    /// Whether the function was inlined into that of the next frame.
    pub(crate) inlined: bool,
    /// The loaded file.
    pub(crate) module: Arc<str>,
}

/// A leak that does not count.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Excused {
    /// What excuses it.
    pub(crate) excuse: By,
    /// How it hangs together.
    pub(crate) kind: Kind,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// Its blocks.
    pub(crate) blocks: u64,
    /// The type of its blocks.
    #[serde(rename = "type")]
    pub(crate) of_type: Option<String>,
    /// The function that allocated it.
    pub(crate) function: Option<String>,
    /// The file and line.
    pub(crate) place: Option<String>,
    /// The program that leaked it.
    pub(crate) program: String,
    /// The test that did.
    pub(crate) test: Option<String>,
    /// As in `leaks`; null where only a part of a leak is excused.
    pub(crate) signature: Option<String>,
}

/// A wrong free.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Fault {
    /// What was wrong.
    pub(crate) what: String,
    /// The size of the block; 0: unknown.
    pub(crate) bytes: u64,
    /// The program that did it.
    pub(crate) program: String,
    /// The test that did.
    pub(crate) test: Option<String>,
    /// Where it happened, where the block was freed before, where it was allocated; those that are known.
    pub(crate) stacks: Vec<Stack>,
}

/// A call stack, and what happened there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Stack {
    /// What happened.
    pub(crate) what: String,
    /// Innermost first.
    pub(crate) trace: Vec<Frame>,
}

/// Something else to know about a test.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Note {
    /// The program.
    pub(crate) program: String,
    /// The test.
    pub(crate) test: Option<String>,
    /// One line.
    pub(crate) text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `HEAPCHECK_BLESS=1` writes the file anew.
    #[test]
    fn the_published_schema_is_that_of_the_report() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report.schema.json");
        let text = format!("{:#}\n", schemars::schema_for!(Report).to_value());
        if std::env::var_os("HEAPCHECK_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap_or_default() == text, "{path} is not what it should be");
    }
}
