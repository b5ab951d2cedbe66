#![forbid(unsafe_code)]
//! Walks that remember nothing and leave nothing behind: those of a signal handler that has interrupted its thread in the middle of
//! another walk.
//!
//! All that such a walk needs lies in its own frames, and it is little: alternate stacks are small. So it keeps no list of its
//! program counters, but sums up their shares of the hash as it goes, and walks again for each part of a trace that is new.

use super::shadow::{mix, share};
use crate::depot::{Frames, Traces};
use crate::rule::Kind;
use crate::unwind::{COPIED_FEW, Memory, Registers, Rules};

/// What the hash of a full trace begins with, where it is the whole stack. One more when it is not.
pub(super) const FULL: u64 = 1;
/// The same of a short trace.
pub(super) const SHORT: u64 = 3;

/// The program counters from here outwards.
#[derive(Clone, Debug)]
pub(super) struct Bare<'a> {
    rules: &'a Rules,
    next: Option<Registers>,
    /// Words between these are known to be mapped.
    low: usize,
    end: usize,
    /// Whether no table was found for a frame.
    is_stuck: bool,
    /// Whether each frame so far has called the next, as far as tables say that for sure.
    is_called: bool,
}

impl<'a> Bare<'a> {
    /// A walk from `at` on a stack that ends there; 0 when that is not known.
    pub(super) fn new(rules: &'a Rules, at: Registers, end: usize) -> Self {
        let low = if end == 0 { 0 } else { at.sp };
        Self { rules, next: Some(at), low, end, is_stuck: false, is_called: true }
    }
}

impl Iterator for Bare<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.next?;
        let kind = self.rules.rule_of(at.behind()).kind();
        self.is_called &= !at.interrupted && matches!(kind, Kind::Sp | Kind::Bp | Kind::End);
        let mut copy = [0; COPIED_FEW];
        let next = self.rules.step_carefully(at, &mut Memory::within(self.low, self.end, &mut copy));
        self.is_stuck = next.is_err();
        self.next = next.ok().flatten().filter(|next| next.pc >= 4096);
        Some(at.pc)
    }
}

/// The trace of the innermost `depth` frames, and whether the stack is known to its outermost frame, and nothing on it was
/// interrupted.
pub(super) fn trace<const S: bool>(
    walk: Bare<'_>,
    traces: Traces<'_, S>,
    depth: usize,
    kind: u64,
) -> (u32, bool) {
    let mut seen = walk.clone();
    let (mut len, mut sum) = (0, 0_u64);
    for pc in seen.by_ref().take(depth) {
        sum = sum.wrapping_add(share(pc, len));
        len += 1;
    }
    let (has_ended, is_stuck) = (seen.next.is_none(), seen.is_stuck);
    let cut = is_stuck || (kind == FULL && !has_ended);
    let seed = if kind == FULL && cut { kind + 1 } else { kind };
    let outer_hash = |frames: usize| {
        let outer = walk.clone().take(len).skip(len - frames).enumerate();
        outer.fold(0_u64, |sum, (index, pc)| sum.wrapping_add(share(pc, index)))
    };
    let pcs = walk.clone().take(len);
    let trace = traces.intern(mix(seed, sum) | 1, Frames { len, cut, pcs, outer_hash });
    (trace, has_ended && !is_stuck && seen.is_called)
}
