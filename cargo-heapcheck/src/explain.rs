#![forbid(unsafe_code)]
//! Turns records into leaks that a person can understand: the type, the line, the cycle. Formats are somebody else's.

use std::path::{Path, PathBuf};

use heapcheck_rt::record::{Fault, Found, Leak, LeakKind, Module, Record};

use crate::binary::short_name;
use crate::plumbing::{Whose, allocated_type, first_own, whose};
use crate::run::Unit;
use crate::symbols::{Frame, Symbols};
use crate::verdict::Verdict;

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
        }
    }
}

/// One leak: blocks of one place, or one cycle.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// Its kind.
    pub(crate) kind: LeakKind,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// Its blocks.
    pub(crate) blocks: u64,
    /// Bytes of the blocks that only it keeps alive.
    pub(crate) retained_bytes: u64,
    /// The number of those.
    pub(crate) retained_blocks: u64,
    /// The Rust type of its blocks.
    pub(crate) allocated: Option<String>,
    /// The name of the thread that allocated it.
    pub(crate) thread: String,
    /// The stack of the allocation, innermost first.
    pub(crate) trace: Vec<Frame>,
    /// Whether the stack goes on.
    pub(crate) is_truncated: bool,
    /// The frame to look at first.
    pub(crate) own: Option<usize>,
    /// The blocks of one instance of the cycle, in the order of their pointers.
    pub(crate) members: Vec<Member>,
    /// The same for the same leak, as long as the names of its functions stay.
    pub(crate) signature: String,
}

/// A block of a cycle.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its size.
    pub(crate) bytes: u64,
    /// Its Rust type.
    pub(crate) allocated: Option<String>,
    /// Where it was allocated.
    pub(crate) place: Option<String>,
    /// Where in it the pointer to the next one lies.
    pub(crate) offset: Option<u64>,
}

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
        for found in &record.checks {
            let totals = found.totals.unwrap_or_default();
            explained.leaked_bytes += totals.leaked_bytes;
            explained.leaked_blocks += totals.leaked_blocks;
            explained.suppressed_bytes += totals.suppressed_bytes;
            for leak in group(found).iter().filter(|group| !group[0].suppressed) {
                explained.leaks.push(explain_leak(record, found, leak, symbols));
            }
        }
        explained.faults.extend(record.faults.iter().map(|fault| explain_fault(record, fault, symbols)));
        explained.modules.extend(record.modules.iter().cloned());
        explained
            .notes
            .extend(record.notes.iter().map(|note| String::from_utf8_lossy(&note.text).into_owned()));
    }
    explained.leaks.sort_by_key(|leak| {
        let hangs_on_others = matches!(leak.kind, LeakKind::Indirect | LeakKind::Doubtful);
        (hangs_on_others, std::cmp::Reverse(leak.bytes + leak.retained_bytes))
    });
    explained
}

/// Leaks that are told as one: each by itself, but those that lie in the same cycle together.
fn group(found: &Found) -> Vec<Vec<&Leak>> {
    let mut groups: Vec<(Vec<u32>, Vec<&Leak>)> = Vec::new();
    for leak in &found.leaks {
        let components = match leak.kind {
            LeakKind::Cycle => components_of(found, leak),
            _ => Vec::new(),
        };
        let joined = groups.iter_mut().find(|(known, leaks)| {
            leaks[0].suppressed == leak.suppressed && components.iter().any(|number| known.contains(number))
        });
        match joined {
            Some((known, leaks)) => {
                known.extend(components);
                leaks.push(leak);
            }
            None => groups.push((components, vec![leak])),
        }
    }
    groups.into_iter().map(|(_, leaks)| leaks).collect()
}

fn components_of(found: &Found, leak: &Leak) -> Vec<u32> {
    let its = found.blocks.iter().filter(|block| {
        (block.kind, block.trace, block.scope, block.thread)
            == (leak.kind, leak.trace, leak.scope, leak.thread)
    });
    let mut components: Vec<u32> = its.map(|block| block.component).collect();
    components.dedup();
    components
}

fn explain_leak(record: &Record, found: &Found, group: &[&Leak], symbols: &mut Symbols) -> Explanation {
    // The block that keeps most alive is what a person knows the cycle by.
    let leak = *group.iter().max_by_key(|leak| (leak.retained_bytes, leak.bytes)).unwrap_or(&group[0]);
    let trace = symbols.find_frames(record, leak.trace);
    let own = first_own(&trace);
    let members = match leak.kind {
        LeakKind::Cycle => explain_cycle(record, found, leak, symbols),
        _ => Vec::new(),
    };
    let sum = |of: fn(&Leak) -> u64| group.iter().map(|leak| of(leak)).sum::<u64>();
    // What a member of a cycle keeps alive includes the other members.
    let others = |all: u64, own: u64| all.saturating_sub(own);
    let (bytes, blocks) = (sum(|leak| leak.bytes), sum(|leak| leak.blocks));
    Explanation {
        kind: leak.kind,
        bytes,
        blocks,
        retained_bytes: others(leak.retained_bytes, bytes - leak.bytes),
        retained_blocks: others(leak.retained_blocks, blocks - leak.blocks),
        allocated: own.and_then(|own| allocated_type(&trace, own)),
        thread: record
            .thread(leak.thread)
            .map_or(String::new(), |thread| String::from_utf8_lossy(&thread.name).into_owned()),
        is_truncated: record.trace(leak.trace).is_some_and(|trace| trace.truncated),
        signature: signature(leak.kind, &trace, own),
        trace,
        own,
        members,
    }
}

/// Follows the pointers of the first cycle that a leak is in, once around.
fn explain_cycle(record: &Record, found: &Found, leak: &Leak, symbols: &mut Symbols) -> Vec<Member> {
    let Some(first) = found.blocks.iter().find(|block| block.kind == leak.kind && block.trace == leak.trace)
    else {
        return Vec::new();
    };
    let in_cycle =
        |id: u32| found.blocks.iter().find(|block| block.id == id && block.component == first.component);
    let (mut members, mut visited, mut at) = (Vec::new(), Vec::new(), first);
    loop {
        visited.push(at.id);
        let pointers = found.edges.iter().filter(|edge| edge.from == at.id && in_cycle(edge.to).is_some());
        // A pointer to a block not seen yet is preferred; then the one that closes the circle.
        let pointer = pointers.min_by_key(|edge| (visited.contains(&edge.to), edge.to != first.id));
        let frames = symbols.find_frames(record, at.trace);
        let own = first_own(&frames);
        members.push(Member {
            bytes: at.size_bytes,
            allocated: own.and_then(|own| allocated_type(&frames, own)),
            place: own.and_then(|own| place(&frames[own])),
            offset: pointer.map(|edge| edge.offset),
        });
        match pointer.and_then(|edge| in_cycle(edge.to)) {
            Some(next) if !visited.contains(&next.id) => at = next,
            _ => return members,
        }
    }
}

fn explain_fault(record: &Record, fault: &Fault, symbols: &mut Symbols) -> WrongFree {
    let stacks = [
        ("freed here", fault.free_trace),
        ("freed before", fault.first_free_trace),
        ("allocated", fault.alloc_trace),
    ];
    WrongFree {
        what: fault.kind.name(),
        bytes: fault.size_bytes,
        stacks: stacks
            .into_iter()
            .filter(|(_, trace)| *trace != 0)
            .map(|(what, trace)| (what, symbols.find_frames(record, trace)))
            .collect(),
    }
}

/// `file:line` of a frame, below the current folder where it lies there.
pub(crate) fn place(frame: &Frame) -> Option<String> {
    let file = shown(frame.file.as_deref()?);
    Some(match frame.line {
        Some(line) => format!("{file}:{line}"),
        None => file,
    })
}

/// A path as people write it: relative to the current folder when it lies below that.
pub(crate) fn shown(file: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = Path::new(file);
    // Of a file in cargo's registry the crate and its version are enough.
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => rest.to_string(),
        None => path.strip_prefix(&here).unwrap_or(path).to_string_lossy().into_owned(),
    }
}

/// A hash (FNV-1a, which never changes) of the kind and the reader's functions from the first own frame outwards.
fn signature(kind: LeakKind, trace: &[Frame], own: Option<usize>) -> String {
    const FRAMES: usize = 8;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    // Plumbing changes with the toolchain, and a frame without a name is an address, which differs from run to run.
    let is_stable = |frame: &&Frame| whose(frame) != Whose::Plumbing && !frame.function.starts_with("0x");
    let frames = trace[own.unwrap_or(0)..].iter().filter(is_stable);
    let names = frames.take(FRAMES).map(|frame| frame.function.as_str());
    for byte in std::iter::once(kind.name()).chain(names).flat_map(|name| name.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("{hash:016x}")
}
