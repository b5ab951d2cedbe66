#![forbid(unsafe_code)]
//! Places of allocation: the stack of each trace, what was allocated there, and what it is recognised by.
//!
//! A trace is looked up once, however many blocks come from it.

use std::collections::HashMap;

use heapcheck_rt::record::Record;

use super::signature::{self, fnv};
use crate::plumbing::{allocated_type, first_own};
use crate::symbols::{Frame, Symbols, place};
use crate::types::Typed;

/// A place of allocation.
#[derive(Debug)]
pub(crate) struct Site {
    /// The number of the trace in its record.
    pub(crate) number: u32,
    /// The stack, innermost first.
    pub(crate) trace: Vec<Frame>,
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
    /// Equal in other runs and builds.
    pub(crate) signature: u64,
    /// Equal for places that are told as one: blocks without a type are told apart by their lines.
    pub(crate) key: u64,
    /// The number of its type; places without a type have one each.
    pub(crate) kind: u32,
}

/// The places of a record.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    list: Vec<Site>,
    known: HashMap<u32, usize>,
    kinds: HashMap<String, u32>,
}

impl Sites {
    /// Finds the place of a trace, as a number for [`Sites::get`].
    pub(crate) fn find(&mut self, record: &Record, trace: u32, symbols: &mut Symbols) -> usize {
        if let Some(&known) = self.known.get(&trace) {
            return known;
        }
        let frames = symbols.find_frames(record, trace);
        let own = first_own(&frames);
        let typed = symbols.find_type(record, trace, &frames);
        let guessed = || own.and_then(|own| allocated_type(&frames, own));
        let allocated = typed.as_ref().map(|typed| typed.short.clone()).or_else(guessed);
        let place = own.and_then(|own| place(&frames[own]));
        let names = signature::names(&frames, own, allocated.as_deref());
        let line = place.as_deref().filter(|_| allocated.is_none()).unwrap_or_default();
        let key = fnv(names.iter().map(String::as_str).chain([line]));
        let kind_name = allocated.clone().unwrap_or_else(|| format!("#{key}"));
        let next = self.kinds.len() as u32 + 1;
        self.list.push(Site {
            number: trace,
            is_truncated: record.trace(trace).is_some_and(|trace| trace.truncated),
            place,
            trace: frames,
            own,
            allocated,
            typed,
            signature: fnv(&names),
            key,
            kind: *self.kinds.entry(kind_name).or_insert(next),
        });
        self.known.insert(trace, self.list.len() - 1);
        self.list.len() - 1
    }

    /// A place.
    pub(crate) fn get(&self, site: usize) -> &Site {
        &self.list[site]
    }
}
