#![expect(unsafe_code, reason = "walks the thread's own stack")]
//! Capturing the trace of an allocation.
//!
//! Two depths. A *full* trace is the whole stack: [`shadow`] keeps the last walk, so that a new one only steps through
//! frames that changed. A *short* trace is the innermost few frames: [`memo`] knows those of call sites seen before.
//! Both step by unwind rules (`unwind`), never by guesses, and therefore through code without frame pointers.
//!
//! Most walks are *quick*: they step by the two common kinds of rules, keep a running sum of the program counters and
//! nothing else, and the depot knows the trace by that sum. Only when a frame is unusual, a place allocates twice in a row,
//! or quick walks have added up, is a walk noted in the shadow or the memo.
//!
//! On a stack that is not the thread's own (a coroutine, a signal's alternate stack) neither memory is used, because
//! such a stack may have been unmapped since: there every walk is made in full, through reads that cannot fault.
//!
//! A signal handler that allocates may interrupt any of this, and walk while it does. Who only looks into the memories pays
//! next to nothing for that: it compares, when it has its trace, the number of changes with the one that it began with. Who
//! changes them says so, and a handler that finds this takes its trace with what is in its own frames alone ([`bare`]).
//!
//! # Safety
//! On the thread's own stack a walk reads only words between its stack pointer and the stack's end, which are mapped
//! while the thread lives.

pub(crate) mod shadow;
pub(crate) mod framed;
pub(crate) mod memo;
mod bare;
#[cfg(test)]
mod tests;

use crate::depot::{Frames, Traces};
use crate::limits::{
    DEPTH_MAX, OUTER_FRAMES, QUICK_FRAMES, QUICK_TRACE_DEBT, RENEW_FRAMES, RENEW_TRACES, SHADOW_FRAMES,
    SHORT_MAX,
};
use crate::rule::{Kind, Rule};
use crate::unwind::{COPIED_FEW, Copied, Memory, Registers, Rules};
use bare::Bare;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};
use framed::Framed;
use memo::Memos;
use shadow::{Root, Shadow, Step, few_frames, mix, never_trusted, share};

/// Bytes below its stack pointer that a function may use, and a signal leaves alone (System V ABI, AMD64, 3.2.2).
const RED_ZONE: usize = 128;

/// The registers of the caller of an allocation function, at the instruction behind its call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// Where the return address lies; the stack pointer is the word above.
    pub(crate) slot: usize,
    pub(crate) bp: usize,
}

impl Caller {
    /// The return address.
    #[inline(always)]
    pub(crate) fn pc(self) -> usize {
        // SAFETY: the slot is where `call` has just pushed it.
        unsafe { (self.slot as *const usize).read() }
    }

    #[inline(always)]
    fn registers(self) -> Registers {
        Registers { pc: self.pc(), sp: self.slot + 8, bp: self.bp, interrupted: false }
    }
}

// Short traces have no outer part.
const _: () = assert!(SHORT_MAX <= OUTER_FRAMES);

/// A place that allocates, as one word: a call site at some depth of the stack. Zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(usize);

impl Place {
    const NONE: Self = Self(0);

    /// Whether `pc` and `sp` are this place once more; takes them for the next time.
    #[inline(always)]
    fn comes_again(&mut self, pc: usize, sp: usize) -> bool {
        let place = Self(pc ^ sp.rotate_left(32));
        core::mem::replace(self, place) == place
    }
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At the outermost frame of the stack.
    Whole,
    /// Before it: no rule, or a bound.
    Cut,
    /// At a frame whose caller lies elsewhere: a signal came while this stack's own middle was the alternate stack.
    Astray,
    /// At a frame that the shadow knows; so many frames stay.
    Joined(usize),
}

/// What a thread needs to capture traces.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Capture {
    /// The thread's own stack; empty until known.
    pub(crate) stack_low: usize,
    pub(crate) stack_end: usize,
    /// Two words below the end, or 0.
    memo_end: usize,
    /// Counts the changes of what is remembered.
    changes: usize,
    /// Whether a walk of the thread's own stack is changing it, and whether one of another stack uses what is there for them.
    is_changing: bool,
    is_away: bool,
    memos: Memos,
    /// Frames that quick walks have stepped through since the memos and the shadow were renewed.
    short_debt: u32,
    full_debt: u32,
    /// The last places that were not known by heart.
    short_missed: Place,
    full_missed: Place,
    pub(crate) shadow: Shadow,
    /// The walk of another stack, and room for what `unwind` copies of it: too much for a small one.
    away_pcs: [usize; DEPTH_MAX],
    copy: Copied,
    framed: Framed,
}

impl Capture {
    /// Whether the walk begins on the thread's own stack.
    #[inline(always)]
    fn owns(&self, sp: usize) -> bool {
        sp.wrapping_sub(self.stack_low) < self.stack_end.wrapping_sub(self.stack_low)
    }

    /// How often what is remembered has changed. What was read of it between two of the same number belongs together.
    #[inline(always)]
    fn changes(&self) -> usize {
        let changes = self.changes_now();
        compiler_fence(SeqCst);
        changes
    }

    /// The same, now that all that decides to look has been read.
    #[inline(always)]
    fn changes_now(&self) -> usize {
        // SAFETY: this is our own word; a signal handler on this thread writes it.
        unsafe { (&raw const self.changes).read_volatile() }
    }

    /// Begins to change what is remembered; false when a signal handler has interrupted its thread where that is doing so.
    #[inline(always)]
    fn begin_change(&mut self) -> bool {
        // SAFETY: these are our own words; a signal handler on this thread looks at them.
        unsafe {
            if (&raw const self.is_changing).read_volatile() {
                return false;
            }
            (&raw mut self.is_changing).write_volatile(true);
            (&raw mut self.changes).write_volatile(self.changes.wrapping_add(1));
        }
        compiler_fence(SeqCst);
        true
    }

    #[inline(always)]
    fn end_change(&mut self) {
        compiler_fence(SeqCst);
        // SAFETY: as above.
        unsafe { (&raw mut self.is_changing).write_volatile(false) };
    }

    /// The short trace of a call site that is known by heart.
    #[inline(always)]
    pub(crate) fn known(&self, caller: Caller) -> Option<u32> {
        self.memos.find(caller.pc(), caller.slot + 8, caller.bp, self.memo_end)
    }

    /// Captures the innermost `depth` frames.
    #[inline(always)]
    pub(crate) fn short<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        match self.memos.find_deep(caller.pc(), caller.slot + 8, caller.bp, self.memo_end) {
            Some(trace) => trace,
            None => self.short_anew(rules, traces, caller, depth.min(SHORT_MAX)),
        }
    }

    #[inline(never)]
    fn short_anew<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        let (pc, sp) = (caller.pc(), caller.slot + 8);
        if !self.short_missed.comes_again(pc, sp) && self.short_debt < RENEW_TRACES {
            self.short_debt += 1;
            let before = self.changes();
            if depth == framed::FRAMES
                && self.owns(sp)
                && let Some(trace) = self.framed.find(pc, sp, caller.bp, self.memo_end)
                && self.changes() == before
            {
                return trace;
            }
            self.short_debt += QUICK_TRACE_DEBT;
            if let Some(trace) = self.quick_short(rules, traces, caller, depth) {
                return trace;
            }
        }
        self.short_debt = 0;
        self.short_walk(rules, traces, caller, depth)
    }

    /// The short trace, when it was taken before and each frame is found the usual way.
    #[inline(always)]
    fn quick_short<const S: bool>(
        &self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> Option<u32> {
        let mut at = caller.registers();
        if !self.owns(at.sp) {
            return None;
        }
        let mut sum = share(at.pc, 0);
        for count in 1..depth {
            at = self.quick_step(rules, at)?;
            sum = sum.wrapping_add(share(at.pc, count));
        }
        traces.find(mix(3, sum) | 1)
    }

    #[inline(never)]
    fn short_walk<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        if !self.owns(caller.slot + 8) {
            return self.elsewhere(rules, traces, caller, depth);
        }
        if !self.begin_change() {
            return self.aside(rules, traces, caller, depth, bare::SHORT);
        }
        let (count, end) = self.walk::<false>(rules, caller.registers(), depth);
        if end == End::Astray {
            self.end_change();
            return self.elsewhere(rules, traces, caller, depth);
        }
        let steps = &self.shadow.steps[..count];
        let sum = steps
            .iter()
            .enumerate()
            .fold(0_u64, |sum, (index, step)| sum.wrapping_add(share(step.pc, index)));
        let trace = traces.intern(mix(3, sum) | 1, few_frames(steps, end == End::Cut && count < depth));
        // The scratch frames lie in the shadow's struct, but a short walk leaves the shadow itself alone.
        let Self { memos, framed, shadow, memo_end, .. } = self;
        if trace != 0 {
            if depth == framed::FRAMES {
                framed.learn(rules, &shadow.steps[..count], trace);
            }
            memos.learn(&shadow.steps[..count], trace, *memo_end);
        }
        self.end_change();
        trace
    }

    /// Captures the whole stack, of which the depot keeps the innermost `depth` frames.
    #[inline(always)]
    pub(crate) fn full<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        let (pc, sp) = (caller.pc(), caller.slot + 8);
        if !self.owns(sp) {
            return self.elsewhere(rules, traces, caller, depth);
        }
        let before = self.changes();
        self.shadow.begin();
        if let Some(joined) = self.shadow.join(pc, sp, caller.bp, 0)
            && joined == self.shadow.len
        {
            let trace = self.shadow.last_trace_now();
            if trace != 0 && self.changes_now() == before {
                self.full_missed = Place::NONE;
                return trace;
            }
        }
        if self.changes_now() != before {
            self.shadow.begin();
        }
        self.full_anew(rules, traces, caller, depth)
    }

    #[inline(never)]
    fn full_anew<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        let at = caller.registers();
        let before = self.changes();
        // A trace that is to be stored was looked for just now.
        if !self.full_missed.comes_again(at.pc, at.sp)
            && !S
            && self.full_debt < RENEW_FRAMES
            && let Some(trace) = self.quick_full(rules, traces, at, depth)
            && self.changes_now() == before
        {
            return trace;
        }
        self.full_debt = 0;
        self.full_walk(rules, traces, caller, depth)
    }

    /// The full trace, when it hangs on a part of the shadow, and each frame inside of that part is found the usual way. The
    /// shadow stays as it is. 0 when the trace is new.
    #[inline(always)]
    fn quick_full<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        at: Registers,
        depth: usize,
    ) -> Option<u32> {
        let mut at = at;
        let mut sum = 0_u64;
        for count in 0..QUICK_FRAMES {
            // The first frame was looked for before.
            if (count > 0 || self.shadow.last_trace == 0)
                && let Some(joined) = self.shadow.join(at.pc, at.sp, at.bp, count)
            {
                self.full_debt += count as u32;
                let hash = self.shadow.hash_with(joined, count, sum, depth)? | 1;
                return Some(traces.find(hash).unwrap_or(0));
            }
            sum = sum.wrapping_add(share(at.pc, count));
            at = self.quick_step(rules, at)?;
        }
        None
    }

    /// The next frame outwards, on the thread's own stack, when its rule is known and one of the two fast ones.
    #[inline(always)]
    fn quick_step(&self, rules: &Rules, at: Registers) -> Option<Registers> {
        let Registers { pc, sp, bp, .. } = at;
        let rule = rules.known_rule_of(pc)?;
        // What the frame pointer leads to can be read before the rule is known for sure, if the processor guesses so.
        let (cfa, bp_slot) = if rule == Rule::FRAMED {
            (bp.wrapping_add(16), bp)
        } else {
            let base = match rule.kind() {
                Kind::Sp => sp,
                Kind::Bp => bp,
                _ => return None,
            };
            let cfa = base.wrapping_add(rule.offset());
            (cfa, cfa.wrapping_sub(rule.saved_bp()))
        };
        if cfa <= sp || cfa > self.stack_end || cfa % 8 != 0 || bp_slot < sp {
            return None;
        }
        // SAFETY: `sp < cfa <= stack_end`, aligned: the word below the CFA lies on the stack above `sp`, and so does the
        // slot, which is the word at the CFA where nothing was saved, and then is not read.
        let (pc, bp) = unsafe {
            let pc = ((cfa - 8) as *const usize).read();
            (pc, if bp_slot == cfa { bp } else { (bp_slot as *const usize).read() })
        };
        (pc >= 4096).then_some(Registers { pc, sp: cfa, bp, interrupted: false })
    }

    #[inline(never)]
    fn full_walk<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        if !self.begin_change() {
            return self.aside(rules, traces, caller, depth, bare::FULL);
        }
        self.shadow.begin();
        self.shadow.hide();
        let (count, end) = self.walk::<true>(rules, caller.registers(), SHADOW_FRAMES);
        if end == End::Astray {
            self.end_change();
            return self.elsewhere(rules, traces, caller, depth);
        }
        let joined = if let End::Joined(joined) = end { joined } else { 0 };
        self.shadow.finish(joined, count, end == End::Cut);
        let trace = traces.intern(self.shadow.hash(depth) | 1, self.shadow.frames(depth));
        self.shadow.last_trace = trace;
        self.end_change();
        trace
    }

    /// The trace that a signal handler takes which has interrupted its thread in the middle of a change.
    #[cold]
    #[inline(never)]
    fn aside<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
        kind: u64,
    ) -> u32 {
        let at = caller.registers();
        let own = self.owns(at.sp);
        let end = if own { self.stack_end } else { 0 };
        let (trace, is_alone) = bare::trace(Bare::new(rules, at, end), traces, depth.min(DEPTH_MAX), kind);
        // A handler that never came back has left the change undone: what is remembered can be used as it is.
        if own && is_alone {
            self.end_change();
        }
        trace
    }

    /// Steps outwards from `at` and leaves the frames in `shadow.steps`.
    #[inline(always)]
    fn walk<const JOIN: bool>(&mut self, rules: &Rules, at: Registers, depth: usize) -> (usize, End) {
        let Registers { mut pc, mut sp, mut bp, mut interrupted } = at;
        let (mut pc_slot, mut bp_slot) = (sp - 8, 0);
        let low = sp;
        let mut count = 0;
        loop {
            if JOIN
                && !interrupted
                && let Some(joined) = self.shadow.join(pc, sp, bp, count)
            {
                if count > 0 {
                    self.shadow.reached_through(joined, pc_slot, bp_slot);
                }
                return (count, End::Joined(joined));
            }
            if count == depth {
                return (count, End::Cut);
            }
            let rule = rules.rule_of(pc + usize::from(interrupted));
            let kind = rule.kind();
            let step = &mut self.shadow.steps[count];
            *step = Step {
                pc,
                sp,
                bp,
                pc_slot,
                bp_slot,
                uses_bp: !matches!(kind, Kind::Sp | Kind::End),
                keeps_bp: rule.saved_bp() == 0,
                interrupted,
            };
            count += 1;
            let cfa = match kind {
                Kind::Sp => sp.wrapping_add(rule.offset()),
                Kind::Bp => bp.wrapping_add(rule.offset()),
                Kind::End => return (count, End::Whole),
                _ => {
                    let before = Registers { pc, sp, bp, interrupted };
                    match rules.step_rarely(
                        rule,
                        before,
                        &mut Memory::within(sp, self.stack_end, &mut [0; COPIED_FEW]),
                    ) {
                        Ok(Some(next)) if next.pc < 4096 => return (count, End::Whole),
                        Ok(Some(next)) if next.sp > sp && next.sp <= self.stack_end => {
                            Registers { pc, sp, bp, interrupted } = next;
                            (pc_slot, bp_slot) = (never_trusted(), 0);
                            continue;
                        }
                        Ok(None) => return (count, End::Whole),
                        Ok(Some(next)) if next.interrupted => return (count, End::Astray),
                        _ => return (count, End::Cut),
                    }
                }
            };
            if cfa <= sp || cfa > self.stack_end || cfa % 8 != 0 {
                return (count, End::Cut);
            }
            pc_slot = cfa - 8;
            // SAFETY: `sp < cfa <= stack_end`, aligned: the word below the CFA lies on the stack above `sp`.
            pc = unsafe { (pc_slot as *const usize).read() };
            let saved = rule.saved_bp();
            bp_slot = 0;
            if saved != 0 {
                bp_slot = cfa - saved;
                // A function that was interrupted when it had its frame pointer back has left it below its stack pointer.
                if bp_slot < sp && !(interrupted && bp_slot >= low.max(sp - RED_ZONE)) {
                    return (count, End::Cut);
                }
                // SAFETY: the slot lies between the first frame of the walk and the CFA.
                bp = unsafe { (bp_slot as *const usize).read() };
            }
            sp = cfa;
            interrupted = false;
            if pc < 4096 {
                return (count, End::Whole);
            }
        }
    }

    /// Walks a stack that is not the thread's own.
    #[cold]
    #[inline(never)]
    fn elsewhere<const S: bool>(
        &mut self,
        rules: &Rules,
        traces: Traces<'_, S>,
        caller: Caller,
        depth: usize,
    ) -> u32 {
        // SAFETY: this is our own word; a signal handler on this thread looks at it.
        if unsafe { (&raw const self.is_away).read_volatile() } {
            return self.aside(rules, traces, caller, depth, bare::FULL);
        }
        // SAFETY: as above.
        unsafe { (&raw mut self.is_away).write_volatile(true) };
        compiler_fence(SeqCst);
        let mut reader = Memory::anywhere(&mut self.copy);
        let mut at = caller.registers();
        let (mut count, mut cut) = (0, false);
        while count < depth.min(DEPTH_MAX) {
            self.away_pcs[count] = at.pc;
            count += 1;
            match rules.step_carefully(at, &mut reader) {
                Ok(Some(next)) if next.pc >= 4096 => at = next,
                Ok(_) => break,
                Err(_) => {
                    cut = true;
                    break;
                }
            }
        }
        let pcs = &self.away_pcs[..count];
        let outer_hash =
            |frames: usize| pcs[count - frames..].iter().rev().fold(7, |hash, pc| mix(hash, *pc as u64));
        let (cut, pcs) = (cut || count == depth, pcs.iter().copied());
        let trace = traces.intern(outer_hash(count) | 1, Frames { len: count, cut, pcs, outer_hash });
        compiler_fence(SeqCst);
        // SAFETY: as above.
        unsafe { (&raw mut self.is_away).write_volatile(false) };
        trace
    }

    /// Tells the bounds of the thread's own stack.
    pub(crate) fn set_stack(&mut self, low: usize, end: usize) {
        (self.stack_low, self.stack_end, self.memo_end) = (low, end, end.saturating_sub(16));
        self.set_root(0, 0, 0);
    }

    /// Tells the runtime's own frame around what the program runs on this stack: from where to where it lies, and its function.
    pub(crate) fn set_root(&mut self, sp: usize, end: usize, code: usize) {
        self.shadow.root = Root { sp, end, code };
    }

    /// Where that frame ends; 0 when there is none.
    pub(crate) fn root_end(&self) -> usize {
        self.shadow.root.end
    }

    /// Forgets all walks, and those that were under way when an earlier thread ended.
    pub(crate) fn clear(&mut self) {
        (self.is_changing, self.is_away) = (false, false);
        self.memos.clear();
        // SAFETY: these are our own words.
        unsafe { Framed::clear_of(&raw mut self.framed) };
        self.shadow.clear();
    }

    /// Makes a thread, any thread, forget its walks: code that they went through is gone.
    ///
    /// The thread may be in the middle of a walk, and keep what this walk has looked at. That is right: those frames are
    /// on its stack, so their code is still there.
    pub(crate) fn clear_of(capture: &Self) {
        let this = (&raw const *capture).cast_mut();
        // SAFETY: the record is there for ever. A word that its thread changes at the same time gets one of both values,
        // and either is right.
        unsafe {
            Memos::clear_of(&raw mut (*this).memos);
            Framed::clear_of(&raw mut (*this).framed);
            Shadow::clear_of(&raw mut (*this).shadow);
        }
    }
}
