#![forbid(unsafe_code)]
//! Turns records into leaks that a person can understand: the type, the line, what hangs on it, what to do. Formats are
//! somebody else's.
//!
//! ```text
//!   Sites      trace -> stack, type, key          (each looked up once)
//!   drafts     equal leaks of a check -> one entry, with its heads
//!   stacks     the stacks of a draft, each with what was lost from it
//!   entries    an entry with its tree, its circle, its advice
//! ```

mod signature;
mod contents;
pub(crate) mod sites;
mod fields;
mod drafts;
mod stacks;
mod inuse;
mod given;
mod advice;
mod naming;
mod entries;

use std::path::PathBuf;
use std::sync::Arc;

use heapcheck_rt::record::{Fault, Found, Leak, LeakKind, Module, NoteKind, Record};

pub(crate) use inuse::InUse;
pub(crate) use stacks::Stack;

use crate::binary::short_name;
use crate::excused::Excused;
use crate::part::failed_test;
use crate::run::Unit;
use crate::symbols::{Frame, Symbols};
use crate::verdict::Verdict;
use crate::why::Way;

/// A unit and everything that was found in it.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The file name of the program.
    pub(crate) program: String,
    /// Where that lies, as far as it is known.
    pub(crate) executable: PathBuf,
    /// The test.
    pub(crate) test: Option<String>,
    /// What is known.
    pub(crate) verdict: Verdict,
    /// Leaked bytes, without suppressed and doubtful ones where those do not count.
    pub(crate) leaked_bytes: u64,
    /// Leaked blocks.
    pub(crate) leaked_blocks: u64,
    /// Bytes that a suppression matched.
    pub(crate) suppressed_bytes: u64,
    /// The leaks, the largest first, and within those the ones that only hang on others last.
    pub(crate) leaks: Vec<Explanation>,
    /// Wrong frees.
    pub(crate) faults: Vec<WrongFree>,
    /// What the runtime says besides.
    pub(crate) notes: Vec<String>,
    /// The files that were loaded, of all its processes.
    pub(crate) modules: Vec<Module<Vec<u8>>>,
    /// What was in use when its processes were checked for the last time, where that was recorded.
    pub(crate) in_use: Option<InUse>,
    /// How long it ran, where that is known; a test that ran twice, both times together.
    pub(crate) took_ms: Option<u64>,
    /// What it printed, where it did not pass.
    pub(crate) output: Option<String>,
    /// Leaks that do not count. They are not among `leaks`.
    pub(crate) excused: Vec<Excused>,
}

impl Explained {
    /// A unit of which only the verdict is known.
    pub(crate) fn without_records(program: String, test: String, verdict: Verdict) -> Self {
        Self {
            program,
            executable: PathBuf::new(),
            test: Some(test).filter(|test| !test.is_empty()),
            verdict,
            leaked_bytes: 0,
            leaked_blocks: 0,
            suppressed_bytes: 0,
            leaks: Vec::new(),
            faults: Vec::new(),
            notes: Vec::new(),
            modules: Vec::new(),
            in_use: None,
            took_ms: None,
            output: None,
            excused: Vec::new(),
        }
    }

    /// The test, or the program where there is none.
    pub(crate) fn name(&self) -> &str {
        self.test.as_ref().unwrap_or(&self.program)
    }
}

/// One leak: all leaks of a unit that a person would call equal.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// Its kind.
    pub(crate) kind: LeakKind,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// Its blocks.
    pub(crate) blocks: u64,
    /// Bytes of the largest block.
    pub(crate) largest_bytes: u64,
    /// How often it happened: blocks, and of a cycle the number of equal cycles.
    pub(crate) instances: u64,
    /// Bytes of the blocks that only it keeps alive.
    pub(crate) retained_bytes: u64,
    /// The number of those.
    pub(crate) retained_blocks: u64,
    /// Whether it only hangs on another leak, in whose tree it is told.
    pub(crate) is_owned: bool,
    /// The type of its blocks; of a cycle, of the block that it is drawn from.
    pub(crate) allocated: Option<String>,
    /// The same with the modules of everything.
    pub(crate) full_type: Option<String>,
    /// The name of the thread that allocated most of it.
    pub(crate) thread: String,
    /// Whether that is the thread of the test or program itself.
    pub(crate) is_own_thread: bool,
    /// The number of threads that did.
    pub(crate) threads: usize,
    /// The stack of the allocation, innermost first.
    pub(crate) trace: Arc<[Frame]>,
    /// All the stacks that are laid together here.
    pub(crate) stacks: Vec<Stack>,
    /// Whether the stack goes on.
    pub(crate) is_truncated: bool,
    /// The frame to look at first.
    pub(crate) own: Option<usize>,
    /// Other lines that equal leaks come from, with their blocks.
    pub(crate) also: Vec<(String, u64)>,
    /// Whether its cycle is how a collection is built (a tree whose nodes know their parents), so that nothing is wrong
    /// with it but that it was lost.
    pub(crate) is_structure: bool,
    /// The blocks of one instance of the cycle, in the order of their pointers.
    pub(crate) members: Vec<Member>,
    /// What else lies in the cycles: types, with the number of their blocks and bytes.
    pub(crate) others: Vec<Branch>,
    /// What it keeps alive, as a tree with equal branches laid together.
    pub(crate) kept: Vec<Branch>,
    /// Of what was never freed, the way from a root to one of its blocks.
    pub(crate) held_by: Option<Way>,
    /// What can be done, where that is certain.
    pub(crate) help: Vec<String>,
    /// The same for the same leak, as long as the names of its functions and types stay.
    pub(crate) signature: String,
}

/// A block of a cycle.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its size.
    pub(crate) bytes: u64,
    /// Its type.
    pub(crate) allocated: Option<String>,
    /// Where it was allocated.
    pub(crate) place: Option<String>,
    /// Where in it the pointer to the next one lies.
    pub(crate) offset: Option<u64>,
    /// The field that lies there.
    pub(crate) field: Option<String>,
    /// Whether the pointer is a raw one, of which its types do not tell if it keeps anything alive.
    pub(crate) is_raw: bool,
    /// How many blocks like it are in the cycle.
    pub(crate) alike: u64,
}

/// Blocks that a leak keeps alive, all of one type and reached in one way.
#[derive(Debug)]
pub(crate) struct Branch {
    /// Their type.
    pub(crate) allocated: Option<String>,
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

impl Branch {
    /// Blocks and bytes of it and everything below.
    pub(crate) fn all(&self) -> (u64, u64) {
        let (mut blocks, mut bytes) = (0, 0);
        let mut work = vec![self];
        while let Some(branch) = work.pop() {
            (blocks, bytes) = (blocks + branch.blocks, bytes + branch.bytes);
            work.extend(&branch.below);
        }
        (blocks, bytes)
    }
}

/// What the stacks of a wrong free are called.
pub(crate) const STACKS: [&str; 3] = ["freed here", "freed before", "allocated"];

/// A wrong free with its stacks.
#[derive(Debug)]
pub(crate) struct WrongFree {
    /// What was wrong.
    pub(crate) what: &'static str,
    /// The size of the block.
    pub(crate) bytes: u64,
    /// Where it happened, where the block was freed before, and where it was allocated; those that are known.
    pub(crate) stacks: Vec<(&'static str, Vec<Frame>)>,
}

/// Explains the records of a unit.
pub(crate) fn explain(unit: &Unit, records: &[Record], verdict: Verdict, symbols: &mut Symbols) -> Explained {
    let test = unit.test.clone().unwrap_or_default();
    let mut explained = Explained::without_records(short_name(&unit.program), test, verdict);
    explained.executable.clone_from(&unit.program);
    for record in records {
        let checks = record.checks.iter().enumerate();
        for (_, found) in checks.filter(|(at, found)| !is_repeated(found, &record.checks[at + 1..])) {
            let totals = found.totals.unwrap_or_default();
            explained.leaked_bytes += totals.leaked_bytes;
            explained.leaked_blocks += totals.leaked_blocks;
            explained.suppressed_bytes += totals.suppressed_bytes;
            explained.leaks.extend(entries::of_check(record, found, symbols));
        }
        explained.faults.extend(record.faults.iter().map(|fault| explain_fault(record, fault, symbols)));
        if let Some(in_use) = InUse::of(record, symbols) {
            match &mut explained.in_use {
                Some(known) => known.add(in_use),
                none => *none = Some(in_use),
            }
        }
        explained.modules.extend(record.modules.iter().cloned());
        // Where there are leaks, they are why.
        let told =
            record.notes.iter().filter(|note| note.kind != NoteKind::Failed || explained.leaked_blocks == 0);
        explained.notes.extend(told.map(|note| match (note.kind, String::from_utf8_lossy(&note.text)) {
            (NoteKind::Failed, text) => {
                let why = failed_test(text.as_bytes()).map(|(_, why)| why);
                format!("the test fails: {}", why.unwrap_or_else(|| text.into_owned()))
            }
            (_, text) => text.into_owned(),
        }));
    }
    explained.notes.extend(symbols.take_problems());
    explained.leaks = entries::joined(explained.leaks);
    let whose = unit.test.as_deref().unwrap_or(&explained.program);
    let file = unit.program.file_name().unwrap_or_default().to_string_lossy();
    for leak in &mut explained.leaks {
        // The kernel keeps fifteen bytes of a name.
        let name = leak.thread.as_str();
        leak.is_own_thread = name.is_empty() || whose.starts_with(name) || file.starts_with(name);
    }
    explained
}

/// Whether later checks of the same process tell all of this one again: what a scope has lost is still lost when the
/// process ends.
pub(crate) fn is_repeated(found: &Found, later: &[Found]) -> bool {
    let counts = |leak: &&Leak| !leak.suppressed && leak.kind != LeakKind::Doubtful;
    let mut leaks = found.leaks.iter().filter(counts).peekable();
    let is_again = |leak: &Leak| {
        later.iter().flat_map(|found| &found.leaks).filter(counts).any(|other| {
            (other.trace, other.scope, other.thread) == (leak.trace, leak.scope, leak.thread)
                && other.blocks >= leak.blocks
        })
    };
    leaks.peek().is_some() && leaks.all(is_again)
}

fn explain_fault(record: &Record, fault: &Fault, symbols: &mut Symbols) -> WrongFree {
    let stacks = STACKS.into_iter().zip([fault.free_trace, fault.first_free_trace, fault.alloc_trace]);
    WrongFree {
        what: fault.kind.name(),
        bytes: fault.size_bytes,
        stacks: stacks
            .filter(|(_, trace)| *trace != 0)
            .map(|(what, trace)| (what, symbols.find_frames(record, trace)))
            .collect(),
    }
}
