#![forbid(unsafe_code)]
//! Places of allocation: the stack of each trace, what was allocated there, and what it is recognised by.
//!
//! A trace is looked up once, however many blocks come from it.

use std::collections::HashMap;
use std::sync::Arc;

use heapcheck_rt::record::{Found, Record};

use super::contents::Contents;
use super::signature::{self, fnv};
use crate::code::is_foreign;
use crate::plumbing::{allocated_type, first_own};
use crate::shape::graph::Graph;
use crate::symbols::{Frame, Symbols, place};
use crate::types::{Sizes, Typed, Types};

/// A place of allocation.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// The number of the trace in its record.
    pub(crate) number: u32,
    /// The stack, innermost first.
    pub(crate) trace: Arc<[Frame]>,
    /// Whether it goes on.
    pub(crate) is_truncated: bool,
    /// The frame to look at first.
    pub(crate) own: Option<usize>,
    /// The type of its blocks.
    pub(crate) allocated: Option<String>,
    /// What debug information says of that.
    pub(crate) typed: Option<Typed>,
    /// The line of the frame to look at first.
    pub(crate) place: Option<String>,
    /// The number of that line.
    pub(crate) line: u32,
    /// Equal in other runs and builds.
    pub(crate) signature: u64,
    /// Equal for places that are told as one: blocks without a type are told apart by their lines.
    pub(crate) key: u64,
    /// The number of its type; places without a type have one each.
    pub(crate) kind: u32,
    /// Whether C or C++ has allocated it.
    pub(crate) is_foreign: bool,
}

/// Whether a type is a pointer that counts its owners.
pub(super) fn is_counted(name: &str) -> bool {
    ["Rc<", "Arc<", "std::shared_ptr<"].iter().any(|pointer| name.starts_with(pointer))
}

/// Whether a function is of C or C++: by its file, or by its symbol where no file is known.
fn is_of_c(frame: &Frame) -> bool {
    match (frame.file.as_deref(), frame.linkage.as_deref()) {
        (Some(file), _) => is_foreign(file),
        (None, Some(symbol)) => rustc_demangle::try_demangle(symbol).is_err(),
        (None, None) => false,
    }
}

/// The places of a record.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    list: Vec<Site>,
    known: HashMap<u32, usize>,
    kinds: HashMap<String, u32>,
    lines: HashMap<Option<String>, u32>,
    sizes: HashMap<u32, Sizes>,
}

impl Sites {
    /// Nothing was looked up; the sizes of blocks by trace are read from a check.
    pub(crate) fn of(found: &Found) -> Self {
        let mut sizes: HashMap<u32, Sizes> = HashMap::new();
        let mut blocks: HashMap<u32, u64> = HashMap::new();
        for block in &found.blocks {
            sizes.entry(block.trace).or_default().add(block.size_bytes);
            *blocks.entry(block.trace).or_default() += 1;
        }
        let mut all: HashMap<u32, u64> = HashMap::new();
        for leak in &found.leaks {
            *all.entry(leak.trace).or_default() += leak.blocks;
        }
        // Not all blocks are written down one by one.
        for leak in &found.leaks {
            if all.get(&leak.trace) > blocks.get(&leak.trace) {
                sizes.entry(leak.trace).or_default().add_all(leak.blocks, leak.bytes, leak.largest_bytes);
            }
        }
        Self { sizes, ..Self::default() }
    }

    /// Finds the place of a trace, as a number for [`Sites::get`].
    pub(crate) fn find(&mut self, record: &Record, trace: u32, symbols: &mut Symbols) -> usize {
        if let Some(&known) = self.known.get(&trace) {
            return known;
        }
        let frames = symbols.find_frames(record, trace);
        let own = first_own(&frames);
        let typed =
            symbols.find_type(record, trace, &frames, self.sizes.get(&trace).copied().unwrap_or_default());
        let guessed = || own.and_then(|own| allocated_type(&frames, own));
        let allocated = typed.as_ref().map(|typed| typed.short.clone()).or_else(guessed);
        let mut site = Site {
            number: trace,
            is_truncated: record.trace(trace).is_some_and(|trace| trace.truncated),
            place: own.and_then(|own| place(&frames[own])),
            is_foreign: own.is_some_and(|own| is_of_c(&frames[own])),
            trace: frames.into(),
            own,
            allocated,
            typed,
            line: 0,
            signature: 0,
            key: 0,
            kind: 0,
        };
        let next = self.lines.len() as u32;
        site.line = *self.lines.entry(site.place.clone()).or_insert(next);
        self.recognise(&mut site);
        self.list.push(site);
        self.known.insert(trace, self.list.len() - 1);
        self.list.len() - 1
    }

    /// Numbers what a place is recognised by.
    fn recognise(&mut self, site: &mut Site) {
        let names = signature::names(&site.trace, site.own, site.allocated.as_deref());
        let line = site.place.as_deref().filter(|_| site.allocated.is_none()).unwrap_or_default();
        site.key = fnv(names.iter().map(String::as_str).chain([line]));
        site.signature = fnv(&names);
        let kind_name = site.allocated.clone().unwrap_or_else(|| format!("#{}", site.key));
        let next = self.kinds.len() as u32 + 1;
        site.kind = *self.kinds.entry(kind_name).or_insert(next);
    }

    /// Finds the types of objects of C++ by their tables of virtual functions, where nothing else is known of a place: all
    /// its blocks have to be of one class. `sites` are the places of the blocks of `graph`.
    pub(super) fn find_classes(
        &mut self,
        record: &Record,
        (graph, sites): (&Graph<'_>, &[usize]),
        contents: &Contents<'_>,
        symbols: &mut Symbols,
    ) {
        let mut first_words: HashMap<usize, Option<u64>> = HashMap::new();
        for (block, &site) in graph.blocks.iter().zip(sites) {
            if self.list[site].typed.is_none() {
                let word = contents.read(block.id, 0, 8);
                let known = first_words.entry(site).or_insert(word);
                *known = known.filter(|known| Some(*known) == word);
            }
        }
        for (at, word) in first_words {
            let (number, trace) = (self.list[at].number, Arc::clone(&self.list[at].trace));
            let sizes = self.sizes.get(&number).copied().unwrap_or_default();
            let typed = word.and_then(|word| symbols.find_class(record, number, &trace, word, sizes));
            if let Some(typed) = typed {
                self.set_type(at, typed);
            }
        }
    }

    /// Takes down what was found later of a place.
    fn set_type(&mut self, at: usize, typed: Typed) {
        let mut site = std::mem::take(&mut self.list[at]);
        site.allocated = Some(typed.short.clone());
        site.typed = Some(typed);
        self.recognise(&mut site);
        self.list[at] = site;
    }

    /// Finds the types of blocks of C and C++ that nothing is known of but that a field of a known type leads to them:
    /// all pointers have to agree. `sites` are the places of the blocks of `graph`.
    pub(crate) fn find_pointed(&mut self, graph: &Graph<'_>, sites: &[usize], types: &mut Types) {
        // What was found tells more; but longer chains of this kind are not worth it.
        for _ in 0..4 {
            let mut found: HashMap<usize, Option<Typed>> = HashMap::new();
            let is_open = |site: &Site| site.typed.is_none() && site.is_foreign;
            if !self.list.iter().any(is_open) {
                return;
            }
            for from in 0..graph.blocks.len() {
                let Some(holder) = self.list[sites[from]].typed.as_ref() else { continue };
                let pointers = graph.pointers(from as u32).iter();
                for (to, edge) in pointers.filter(|(_, edge)| edge.to_offset == 0) {
                    let site = &self.list[sites[*to as usize]];
                    if !is_open(site) {
                        continue;
                    }
                    let size = graph.blocks[from].size_bytes;
                    let sizes = self.sizes.get(&site.number).copied().unwrap_or_default();
                    let typed = holder
                        .within_element(size, edge.offset)
                        .and_then(|offset| types.find_pointed(holder, offset, sizes));
                    let known = found.entry(sites[*to as usize]).or_insert_with(|| typed.clone());
                    if known.as_ref().map(|known| &known.full) != typed.as_ref().map(|typed| &typed.full) {
                        *known = None;
                    }
                }
            }
            let found: Vec<(usize, Typed)> =
                found.into_iter().filter_map(|(site, typed)| Some((site, typed?))).collect();
            if found.is_empty() {
                return;
            }
            for (at, typed) in found {
                self.set_type(at, typed);
            }
        }
    }

    /// A place.
    pub(crate) fn get(&self, site: usize) -> &Site {
        &self.list[site]
    }
}
