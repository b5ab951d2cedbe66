#![forbid(unsafe_code)]
//! The way from a root to a block, in words.

use std::path::Path;

use heapcheck_rt::record::{Held, HolderKind, Record, Step, Thread};

use crate::figures::{bytes, counted};
use crate::plumbing::first_own;
use crate::symbols::{Symbols, place};
use crate::types::{Chosen, Sizes, Typed, Variable};
use crate::why::names::Names;

/// A way, from the root on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// What holds the first block, as in ``static `app::CACHE` ``.
    pub(crate) root: String,
    /// Where in a variable the pointer lies.
    pub(crate) offset: Option<u64>,
    /// The blocks, the last one of which is explained.
    pub(crate) blocks: Vec<WayBlock>,
    /// How many blocks in the middle are not known, and before which block.
    pub(crate) omitted: Option<(u32, usize)>,
}

/// A block on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WayBlock {
    /// Its Rust type.
    pub(crate) allocated: Option<String>,
    /// Its size.
    pub(crate) bytes: u64,
    /// Where it was allocated.
    pub(crate) place: Option<String>,
    /// Where in it the pointer to the next block lies; `None` in the last.
    pub(crate) offset: Option<u64>,
    /// The field that lies there.
    pub(crate) field: Option<String>,
}

/// Blocks in a row that are alike and hang on one another are told once from this number on: a list.
const ALIKE_MIN: usize = 3;

impl Way {
    /// Puts it into words.
    pub(crate) fn explain(
        record: &Record,
        held: &Held<Vec<Step>, Vec<u64>>,
        names: &mut Names,
        symbols: &mut Symbols,
    ) -> Self {
        let (root, offset, hidden) = explain_root(record, held, names, symbols);
        let steps = &held.steps[hidden.min(held.steps.len())..];
        let gap = (held.omitted_at as usize).saturating_sub(hidden);
        let omitted = Some((held.omitted, gap)).filter(|(count, _)| *count > 0);
        let typed: Vec<Option<Typed>> = steps
            .iter()
            .map(|step| {
                let frames = symbols.find_frames(record, step.trace);
                symbols.find_type(record, step.trace, &frames, Sizes::of_one(step.size_bytes))
            })
            .collect();
        let blocks = steps.iter().enumerate().map(|(at, step)| {
            let frames = symbols.find_frames(record, step.trace);
            let next = steps.get(at + 1);
            let field = next.and_then(|next| {
                let holder = typed[at].as_ref()?;
                let offset = holder.within_element(step.size_bytes, step.offset)?;
                // What follows a gap is not what the block before it points to.
                let is_known = next.to_offset == 0 && omitted.is_none_or(|(_, gap)| gap != at + 1);
                let target = typed[at + 1].as_ref().filter(|_| is_known);
                let ways = symbols.types.find_ways(holder, offset, target)?;
                let (path, _) = symbols.types.tell_field(holder, &ways, Chosen::MAX)?;
                Some(path).filter(|path| !path.is_empty())
            });
            WayBlock {
                allocated: typed[at].as_ref().map(|typed| typed.short.clone()),
                bytes: step.size_bytes,
                place: first_own(&frames).and_then(|own| place(&frames[own])),
                offset: next.map(|_| step.offset),
                field,
            }
        });
        let blocks = blocks.collect();
        Self { root, offset, blocks, omitted }
    }

    /// The way as lines for people, each below the one that holds it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}{}", self.root, at(self.offset))];
        let (near, far) = self.blocks.split_at(self.omitted.map_or(0, |(_, gap)| gap.min(self.blocks.len())));
        add_lines(&mut lines, near);
        if let Some((count, _)) = self.omitted {
            lines.push(format!("-> {}", counted(count.into(), "more block")));
        }
        add_lines(&mut lines, far);
        lines
    }
}

/// A line for each block, and one for several that are alike.
fn add_lines(lines: &mut Vec<String>, mut blocks: &[WayBlock]) {
    while let Some(first) = blocks.first() {
        let alike = blocks.iter().take_while(|block| block.is_like(first)).count();
        let told = if alike >= ALIKE_MIN { alike } else { 1 };
        let several = if told > 1 { format!("{told} times ") } else { String::new() };
        // Of a list the last one points on.
        let last = &blocks[told - 1];
        let by = last.field.as_ref().map_or(at(last.offset), |field| format!(" by `{field}`"));
        lines.push(format!("-> {several}{}{by}", first.words()));
        blocks = &blocks[told..];
    }
}

fn at(offset: Option<u64>) -> String {
    offset.map_or(String::new(), |offset| format!(" at offset {offset}"))
}

impl WayBlock {
    fn is_like(&self, other: &Self) -> bool {
        (&self.allocated, self.bytes, &self.place) == (&other.allocated, other.bytes, &other.place)
    }

    fn words(&self) -> String {
        let name = self.allocated.as_ref().map_or("block".to_string(), |name| format!("`{name}`"));
        let place = self.place.as_ref().map_or(String::new(), |place| format!(", from {place}"));
        format!("{name} ({}{place})", bytes(self.bytes))
    }
}

/// What was loaded at the end of the process was loaded for traces up to here.
const NEWEST: u32 = u32::MAX - 1;

/// What the root is called, where in it the pointer lies, and how many blocks of the way belong to it.
fn explain_root(
    record: &Record,
    held: &Held<Vec<Step>, Vec<u64>>,
    names: &mut Names,
    symbols: &mut Symbols,
) -> (String, Option<u64>, usize) {
    let module = record.modules.iter().rfind(|module| module.id == held.module);
    let loaded = module.map_or(String::new(), |module| String::from_utf8_lossy(&module.path).into_owned());
    let file = loaded.rsplit('/').next().unwrap_or_default();
    let path = module.and_then(|module| symbols.find_file(record, module));
    let path = path.unwrap_or_else(|| Path::new("").into());
    let thread = thread_name(record, held.tid);
    let mut thread_local =
        |offset: u64, hidden, names: &mut Names| match names.find_thread_local(&path, offset) {
            Some((name, inside)) => {
                let variable = Variable { name: &name, address: offset - inside, is_thread_local: true };
                let (told, inside) = tell_field(record, held, &path, &variable, inside, hidden, symbols);
                (format!("thread-local `{told}` of {thread}"), inside, hidden)
            }
            None if module.is_none() => (format!("thread-local storage of {thread}"), None, hidden),
            None => (format!("thread-local storage of {file} in {thread}"), Some(offset), hidden),
        };
    let plain = |text: String| (text, None, 0);
    match held.kind {
        HolderKind::Static => {
            let address = held.addr.wrapping_sub(module.map_or(0, |module| module.base));
            match names.find_static(&path, address) {
                Some((name, inside)) => {
                    let variable =
                        Variable { name: &name, address: address - inside, is_thread_local: false };
                    let (told, inside) = tell_field(record, held, &path, &variable, inside, 0, symbols);
                    (format!("static `{told}`"), inside, 0)
                }
                None => plain(format!("a static of {file} at address {address:#x}")),
            }
        }
        HolderKind::Stack => plain(match function_on_stack(record, &held.pcs, symbols) {
            Some(function) => format!("the stack of {thread}, in {function}"),
            None => format!("the stack of {thread}"),
        }),
        HolderKind::Register => plain(format!("a register of {thread}")),
        HolderKind::Tls => thread_local(held.addr.wrapping_sub(held.base), 0, names),
        // The vector of the thread and the storage of the module are blocks of the loader.
        HolderKind::Dtv if held.module != u32::MAX && held.steps.len() > 2 => {
            let storage = &held.steps[1];
            thread_local(storage.offset.wrapping_sub(storage.to_offset), 2, names)
        }
        HolderKind::Dtv => plain(format!("thread-local storage of {thread}")),
        HolderKind::Key => explain_key(held, &thread),
        HolderKind::Pending => plain("the argument or the result of a thread".to_string()),
        HolderKind::Region => plain("a root region that the program has registered".to_string()),
        HolderKind::Mapping => {
            plain(format!("a mapping that nobody is known to own, at address {:#x}", held.addr))
        }
        HolderKind::Other => plain("a root of another kind".to_string()),
    }
}

/// A variable with the field that lies at `inside` of it, where debug information tells that; else with the offset.
fn tell_field(
    record: &Record,
    held: &Held<Vec<Step>, Vec<u64>>,
    path: &Path,
    variable: &Variable<'_>,
    inside: u64,
    hidden: usize,
    symbols: &mut Symbols,
) -> (String, Option<u64>) {
    let first = held.steps.get(hidden).filter(|step| step.to_offset == 0);
    let target = first.and_then(|step| {
        let frames = symbols.find_frames(record, step.trace);
        symbols.find_type(record, step.trace, &frames, Sizes::of_one(step.size_bytes))
    });
    match symbols.types.find_in_variable(path, variable, inside, target.as_ref()) {
        Some(told) => (told, None),
        None => (variable.name.to_string(), Some(inside)),
    }
}

/// The key of a thread-specific value, by its place in glibc's `struct pthread` (nptl/descr.h, x86-64): 32 pairs of a
/// sequence number and a value, then 32 pointers to further such arrays.
fn explain_key(held: &Held<Vec<Step>, Vec<u64>>, thread: &str) -> (String, Option<u64>, usize) {
    const FIRST: u64 = 0x310;
    const KEYS: u64 = 32;
    const PAIR: u64 = 16;
    let at = held.addr.wrapping_sub(held.base);
    let value = |key: u64, hidden| (format!("the value of pthread key {key} of {thread}"), None, hidden);
    match at.checked_sub(FIRST) {
        Some(inside) if inside < KEYS * PAIR => value(inside / PAIR, 0),
        Some(inside) if inside < KEYS * PAIR + KEYS * 8 && held.steps.len() > 1 => {
            value((inside - KEYS * PAIR) / 8 * KEYS + held.steps[0].offset / PAIR, 1)
        }
        _ => (format!("the descriptor of {thread}"), None, 0),
    }
}

/// The first of the functions that is the reader's; else the innermost.
fn function_on_stack(record: &Record, pcs: &[u64], symbols: &mut Symbols) -> Option<String> {
    let frames = symbols.find_frames_at(record, NEWEST, pcs);
    let frame = frames.get(first_own(&frames).unwrap_or(0))?;
    let place = place(frame).map_or(String::new(), |place| format!(" at {place}"));
    Some(format!("`{}`{place}", frame.function))
}

fn thread_name(record: &Record, tid: u32) -> String {
    let known: Option<&Thread<Vec<u8>>> = record.threads.iter().rfind(|it| it.tid == tid && it.alive);
    let name = known.map_or(String::new(), |thread| String::from_utf8_lossy(&thread.name).into_owned());
    match (tid == record.begin.pid, name.as_str()) {
        (true, _) => "the main thread".to_string(),
        (_, "") => format!("thread {tid}"),
        (_, name) => format!("thread `{name}`"),
    }
}
