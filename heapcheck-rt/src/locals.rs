#![forbid(unsafe_code)]
//! What only local variables hold of a scope.
//!
//! A word on a stack is a pointer of a local variable, or what is left of one that is gone: in a frame that has not
//! returned both look the same, and without optimisation nothing takes the place of the second. So a check that runs while
//! the frames of its scope are there can't say of each block whether it is lost. It can say which blocks hang on such words
//! alone, and whoever knows that no local variable holds anything can have them told as lost.
//!
//! Words that lead to blocks of others count as ever: a collection that was there before holds what it was given meanwhile.

use crate::arena::Buf;
use crate::mark::Marks;
use crate::rootkinds::RootKind;
use crate::roots::{RootWord, Roots};
use crate::space::{Grow, OutOfMemory, Slot, Space};
use crate::state::{SCRATCH, SPANS};
use crate::stopped_heap::StoppedHeap;
use crate::who::Who;

/// The strong roots without local variables, and what those point to.
pub(crate) struct Parted {
    /// The strong roots, but for what local variables hold of the scope.
    pub(crate) others: Roots,
    /// The blocks of the scope that a word on a stack or in a register points to, some of them more than once.
    held: Buf<Slot>,
}

/// Parts the strong roots.
pub(crate) fn part(who: &Who<'_>, heap: &StoppedHeap, roots: &Roots) -> Result<Parted, OutOfMemory> {
    let others = Roots { strong: Buf::new(&SCRATCH), words: Buf::new(&SCRATCH), weak: Buf::new(&SCRATCH) };
    let mut parted = Parted { others, held: Buf::new(&SCRATCH) };
    for range in roots.strong.as_slice() {
        if !is_local(range.tag.kind) {
            parted.others.strong.push(*range)?;
            continue;
        }
        let mut at = range.span.start;
        while at < range.span.end {
            parted.take(who, heap, RootWord { word: heap.read(at), tag: range.tag })?;
            at += size_of::<usize>();
        }
    }
    for word in roots.words.as_slice() {
        if is_local(word.tag.kind) {
            parted.take(who, heap, *word)?;
        } else {
            parted.others.words.push(*word)?;
        }
    }
    Ok(parted)
}

fn is_local(kind: RootKind) -> bool {
    matches!(kind, RootKind::Stacks | RootKind::Registers)
}

impl Parted {
    /// Takes in the word of a local variable.
    fn take(&mut self, who: &Who<'_>, heap: &StoppedHeap, found: RootWord) -> Result<(), OutOfMemory> {
        let (start, end) = heap.bounds();
        if !(start..end).contains(&found.word) {
            return Ok(());
        }
        let slot = heap.slot_of(found.word);
        match slot.and_then(|slot| SPANS.meta(slot.id).live().map(|live| (slot, live))) {
            Some((slot, live)) if who.counts(&live) => self.held.push(slot),
            Some(_) => self.others.words.push(found),
            None => Ok(()),
        }
    }

    /// Whether local variables point into the scope at all.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.as_slice().is_empty()
    }
}

/// Blocks of the scope that nothing but local variables may hold.
pub(crate) struct Locals(Option<Buf<(Slot, usize)>>);

impl Locals {
    /// Nothing, or nobody asked.
    pub(crate) const NONE: Self = Self(None);

    /// The live blocks of the scope that are not marked, when all is that the other roots reach.
    pub(crate) fn among(
        who: &Who<'_>, heap: &StoppedHeap, marks: Marks<'_>, parted: &Parted,
    ) -> Result<Self, OutOfMemory> {
        // Most of what local variables point to is held by others as well: then nobody walks over the heap.
        if parted.held.as_slice().iter().all(|slot| marks.is_marked(slot.id)) {
            return Ok(Self::NONE);
        }
        let (mut found, mut outcome) = (Buf::new(&SCRATCH), Ok(()));
        heap.each_live(&mut |slot, size| {
            if !marks.is_marked(slot.id)
                && outcome.is_ok()
                && SPANS.meta(slot.id).live().is_some_and(|live| who.counts(&live))
            {
                outcome = found.push((slot, size));
            }
        });
        outcome.map(|()| Self(Some(found)))
    }

    /// How many of them local variables do hold, now that all is marked, and their bytes.
    pub(crate) fn count(&self, marks: Marks<'_>) -> (u64, u64) {
        let Some(found) = &self.0 else { return (0, 0) };
        let is_held = |(slot, _): &&(Slot, usize)| marks.is_marked(slot.id) && !marks.is_doubtful(slot.id);
        let held = found.as_slice().iter().filter(is_held);
        held.fold((0, 0), |(blocks, bytes), (_, size)| (blocks + 1, bytes + *size as u64))
    }
}
