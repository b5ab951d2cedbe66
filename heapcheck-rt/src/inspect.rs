#![forbid(unsafe_code)]
//! The check: stop the world, collect the roots, mark, classify what is left, write it down.
//!
//! [`check`] is the page to read: a list of verbs. What must not happen while the world stands still (the loader's lock,
//! the program's heap) happens before; what the check needs comes from an arena of its own, because a stopped thread
//! may hold any other lock.

use crate::arch;
use crate::arena::Buf;

use crate::classify::{Leaks, classify};
use crate::emit::{self, Recorder};
use crate::findings::{Findings, Summary, kind_of, retained_of};
use crate::held::Ways;
use crate::heap::meta::{EARLY, IGNORED, Live};
use crate::inuse::Sums;
use crate::limits::IN_USE_MAX;
use crate::mark::{Census, Root, Roots as MarkRoots};
use crate::limits::CHECK_STACK_BYTES;
use crate::maps::Maps;
use crate::locals::{self, Locals};
use crate::markers::{mark, mark_more, mark_uncounted, marks_of};
use crate::loaded;
use crate::modules::{Modules, Role};
use crate::place::Place;
use crate::options::{Mode, Options, Roots as RootSwitches, StopWays};
use crate::record::{Check, InUse, LeakKind, Moment};
use crate::request::Request;
use crate::rootkinds::{RootKind, RootKinds};
use crate::roots::{self, Caller, Roots, ThreadFacts, ThreadState, World};
use crate::scope;
use crate::space::{Grow, OutOfMemory, Slot, Space};
use crate::starts;
use crate::state::{ANNOTATIONS, CHECK, CONFIG, DEPOT, PAGES, REGION, SCOPES, SCRATCH, SPANS, THREADS};
use crate::lock::Quiet;
use crate::stop::{Method, Methods, QUIET_SIGNAL, Stopped, stop};
use crate::stopped_heap::{ArenaMemory, MadeReadable, StoppedHeap};
use crate::suppressions::Suppressions;
use crate::sys;
use crate::thread::{LIVE, Thread};
use crate::unwind::Registers;
use crate::who::{Who, leaves_no_trace};
use core::sync::atomic::Ordering::Relaxed;

/// Why a check could not be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed(pub(crate) &'static str);

impl From<OutOfMemory> for Failed {
    fn from(_: OutOfMemory) -> Self {
        Self("the check ran out of memory")
    }
}

/// Checks the heap, and returns what that has come to after writing and printing what was found.
///
/// Whoever waits here for the check of another thread is stopped by it, and the frames of the runtime on its stack count
/// as any others do. So this one is small, and nothing of the addresses that a check has seen is left below it.
#[inline(never)]
pub(crate) fn check(request: &Request, options: &'static Options<'static>) -> Result<Summary, Failed> {
    let _one_at_a_time = CHECK.hold();
    let outcome = check_alone(request, options);
    if let Some(thread) = Thread::current() {
        thread.clear_stack::<CHECK_STACK_BYTES>();
    }
    if !is_at_exit(request) {
        arch::clear_wide_registers();
    }
    outcome
}

#[inline(never)]
fn check_alone(request: &Request, options: &'static Options<'static>) -> Result<Summary, Failed> {
    let modules = loaded::take()?;
    let mut findings = Findings::new(&SCRATCH);
    let mut recorder = Recorder::open(options);
    inspect(request, options, &modules, &mut findings, &mut recorder)?;
    if !leaves_no_trace(request, &findings) {
        emit::report(&mut findings, request, options, &modules, recorder);
    }
    Ok(findings.summary())
}

/// The part during which the world stands still.
fn inspect(
    request: &Request, options: &Options<'static>, modules: &Modules, findings: &mut Findings,
    recorder: &mut Recorder,
) -> Result<(), Failed> {
    let _quiet = Quiet::begin();
    let _locks = (
        THREADS.lock.hold_lightly(),
        SCOPES.lock.hold_lightly(),
        PAGES.lock.hold_lightly(),
        PAGES.growth.hold_lightly(),
    );
    let began = sys::monotonic_ns();
    let facts = thread_facts()?;
    let stopped = stop_world(request, options, facts.as_slice())?;
    let stopped_at = sys::monotonic_ns();
    let heap = StoppedHeap::new(&SPANS, PAGES.slots(), &SCRATCH)?;
    let maps = Maps::read(&SCRATCH).map_err(|_| Failed("/proc/self/maps cannot be read"))?;
    let _readable = MadeReadable::open(&maps, &heap, &SCRATCH)?;
    let mut roots = collect_roots(request, options, modules, &maps, &stopped, facts.as_slice())?;
    let mut bytes = Buf::zeros_at_hand(&SCRATCH, heap.slots())?;
    let who = Who::of(request)?;
    let locals = look_at_locals(&who, &heap, &mut roots, &mut bytes)?;
    let census = mark_from(&heap, request.mode, options, &roots, &mut bytes)?;
    findings.locals = locals.count(marks_of(&mut bytes));
    let marked_at = sys::monotonic_ns();
    let mut suppressions = Suppressions::read(options, CONFIG.suppressions());
    suppressions.allow(request.terms.allow);
    let lost = find_lost(&heap, &census, &mut bytes)?;
    let leaks = find_leaks(&who, &heap, modules, lost, &mut bytes, &mut suppressions, findings)?;
    if census.doubtful > 0 {
        add_doubtful(&who, &heap, &mut bytes, findings)?;
    }
    excuse(&who, &heap, modules, &mut bytes, &mut suppressions, findings);
    findings.group();
    count(&census, &stopped, findings);
    let totals = &mut findings.totals;
    (totals.stop_ns, totals.mark_ns) = (stopped_at - began, marked_at - stopped_at);
    totals.classify_ns = sys::monotonic_ns() - marked_at;
    totals.pause_ns = sys::monotonic_ns() - began;
    let mut in_use = match options.in_use && request.scope == 0 {
        true => Some(sum_up(&heap)?),
        false => None,
    };
    let check = Check {
        number: recorder.next_number(),
        scope: request.scope,
        moment: request.moment,
        mode: request.mode,
        has_in_use: in_use.is_some(),
    };
    if !leaves_no_trace(request, findings) {
        recorder.write_check(&check, findings, modules, &stopped, leaks.as_ref(), &heap);
        if let Some(in_use) = &mut in_use {
            recorder.write_in_use(in_use.largest(IN_USE_MAX));
        }
    }
    if options.why && request.scope == 0 {
        drop(bytes);
        recorder.write_held(&find_ways(request, &heap, &roots, modules, &stopped, facts.as_slice())?, &heap);
    }
    Ok(())
}

/// What is in use. In a forked child, what threads that are gone had allocated is the parent's.
fn sum_up(heap: &StoppedHeap) -> Result<Sums<ArenaMemory>, OutOfMemory> {
    let mut sums = Sums::new(&ArenaMemory(&SCRATCH));
    let mut outcome = Ok(());
    heap.each_live(&mut |slot, _| {
        let live = SPANS.meta(slot.id).live().filter(|live| !THREADS.is_inherited(live.thread));
        if let Some(Live { trace, scope, thread, size, .. }) = live {
            let item = InUse { trace, scope, thread: thread.into(), blocks: 1, bytes: size as u64 };
            outcome = outcome.and_then(|()| sums.add(item));
        }
    });
    outcome.map(|()| sums)
}

/// Why what lives is alive.
fn find_ways<'a>(
    request: &Request, heap: &StoppedHeap, roots: &'a Roots, modules: &'a Modules, stopped: &Stopped,
    facts: &'a [ThreadFacts],
) -> Result<Ways<'a>, OutOfMemory> {
    let mut ways = Ways::find(heap, roots, modules, facts)?;
    let Place { sp, pc, .. } = request.place;
    if pc != 0 {
        let own = Registers { pc, sp, bp: request.place.frame_pointer(), interrupted: false };
        ways.add_frames(sys::thread_id(), own)?;
    }
    for thread in stopped.threads().iter().filter(|thread| thread.pc != 0) {
        let at = Registers { pc: thread.pc, sp: thread.sp, bp: thread.bp, interrupted: true };
        ways.add_frames(thread.tid, at)?;
    }
    Ok(ways)
}

fn thread_facts() -> Result<Buf<ThreadFacts>, OutOfMemory> {
    let mut facts = Buf::new(&SCRATCH);
    let mut outcome = Ok(());
    THREADS.each(|thread: &'static Thread| {
        let live = thread.state.load(Relaxed) == LIVE;
        let added = facts.push(ThreadFacts {
            tid: thread.tid.load(Relaxed),
            pointer: thread.pointer,
            stack_lo: thread.capture.stack_low,
            stack_hi: thread.capture.stack_end,
            state: if live { ThreadState::Live } else { ThreadState::Exited },
        });
        outcome = outcome.and(added);
    });
    for gone in THREADS.departed() {
        facts.push(ThreadFacts {
            tid: 0,
            pointer: gone.pointer,
            stack_lo: gone.stack_low,
            stack_hi: gone.stack_end,
            state: ThreadState::Exited,
        })?;
    }
    outcome.map(|()| facts)
}

/// Whether this is the last check of the process.
fn is_at_exit(request: &Request) -> bool {
    matches!(request.moment, Moment::BeforeDestructors | Moment::AfterDestructors)
}

fn stop_world(request: &Request, options: &Options<'_>, facts: &[ThreadFacts]) -> Result<Stopped, Failed> {
    let mut known = Buf::new(&SCRATCH);
    for fact in facts.iter().filter(|fact| fact.state == ThreadState::Live) {
        known.push(fact.tid)?;
    }
    let at_exit = is_at_exit(request);
    let ways = Methods {
        signal: options.stop.has(StopWays::SIGNAL),
        ptrace: options.stop.has(StopWays::PTRACE),
        stack: options.stop.has(StopWays::STACK),
        alternate: !at_exit || sys::thread_id() == sys::process_id(),
    };
    // A debugger that is not told otherwise halts the program at every real-time signal.
    let signal = || if is_traced() { QUIET_SIGNAL } else { options.stop_signal };
    stop(&SCRATCH, &signal, ways, known.as_slice()).map_err(|_| Failed("the threads could not be stopped"))
}

/// Whether a debugger holds this process.
fn is_traced() -> bool {
    const FIELD: &[u8] = b"\nTracerPid:\t";
    let mut status = [0u8; 2048];
    let len = emit::read_file(b"/proc/self/status\0", &mut status);
    let at = status[..len].windows(FIELD.len()).position(|window| window == FIELD);
    at.is_some_and(|at| status.get(at + FIELD.len()).is_some_and(|digit| *digit != b'0'))
}

fn root_kinds(options: &Options<'_>) -> RootKinds {
    let switches = [
        (RootSwitches::GLOBALS, RootKind::Globals),
        (RootSwitches::STACKS, RootKind::Stacks),
        (RootSwitches::REGISTERS, RootKind::Registers),
        (RootSwitches::TLS, RootKind::Tls),
        (RootSwitches::DTV, RootKind::Dtv),
        (RootSwitches::KEYS, RootKind::Keys),
        (RootSwitches::PENDING, RootKind::Pending),
        (RootSwitches::REGIONS, RootKind::Regions),
        (RootSwitches::MAPS, RootKind::Maps),
        (RootSwitches::ENDS, RootKind::Ends),
        (RootSwitches::TAGS, RootKind::Tags),
    ];
    switches.into_iter().fold(RootKinds::NONE, |kinds, (switch, kind)| {
        if options.roots.has(switch) { kinds.with(kind) } else { kinds }
    })
}

fn collect_roots(
    request: &Request,
    options: &Options<'_>,
    modules: &Modules,
    maps: &Maps,
    stopped: &Stopped,
    threads: &[ThreadFacts],
) -> Result<Roots, Failed> {
    let mut pending = Buf::new(&SCRATCH);
    starts::each_pending(|word| pending.push(word))?;
    for gone in THREADS.departed() {
        pending.push(gone.result)?;
    }
    let mut regions = Buf::new(&SCRATCH);
    ANNOTATIONS.each_region(|start, end| regions.push((start, end)))?;
    // What vanished threads held is not known: all of their stacks counts.
    for gone in THREADS.departed().iter().filter(|gone| gone.vanished) {
        regions.push((gone.stack_low.max(gone.stack_end.saturating_sub(8 << 20)), gone.stack_end))?;
        regions.push((gone.pointer, gone.pointer + 4096))?;
    }
    let caller = Caller { tid: sys::thread_id(), sp: request.place.sp, registers: request.place.registers };
    let world = World {
        kinds: root_kinds(options),
        stopped,
        caller,
        modules,
        maps,
        threads,
        regions: regions.as_slice(),
        pending: pending.as_slice(),
        ours: &[REGION.bounds()],
    };
    Ok(roots::collect(&world, &SCRATCH)?)
}

fn mark_from(
    heap: &StoppedHeap, mode: Mode, options: &Options<'_>, roots: &Roots, bytes: &mut Buf<u8>,
) -> Result<Census, OutOfMemory> {
    let (mut strong, mut weak) = (Buf::new(&SCRATCH), Buf::new(&SCRATCH));
    for range in roots.strong.as_slice() {
        strong.push(root_of(range))?;
    }
    // Strict takes no root on faith.
    let trusts = mode != Mode::Strict;
    for range in roots.weak.as_slice().iter().filter(|_| trusts) {
        weak.push(root_of(range))?;
    }
    let words = words_of(roots)?;
    let ends = trusts && options.roots.has(RootSwitches::ENDS);
    let tags = trusts && options.roots.has(RootSwitches::TAGS);
    let from = MarkRoots { words: words.as_slice(), strong: strong.as_slice(), weak: weak.as_slice(), ends, tags };
    mark(heap, from, bytes, &SCRATCH)
}

fn root_of(range: &roots::RootRange) -> Root {
    Root { lo: range.span.start, hi: range.span.end }
}

/// The loose words among the roots, and the blocks that count as reached whatever points to them.
fn words_of(roots: &Roots) -> Result<Buf<usize>, OutOfMemory> {
    let mut words = Buf::new(&SCRATCH);
    for word in roots.words.as_slice() {
        words.push(word.word)?;
    }
    let vanished = vanished_threads()?;
    let is_vanished = |thread: u16| vanished.as_slice().get(usize::from(thread)) == Some(&true);
    if ANNOTATIONS.any_ignored() || !vanished.as_slice().is_empty() {
        let mut outcome = Ok(());
        SPANS.each_live(|slot, meta| {
            if meta.live().is_some_and(|live| live.state & IGNORED != 0 || is_vanished(live.thread)) {
                outcome = outcome.and(words.push(slot.base));
            }
        });
        outcome?;
    }
    Ok(words)
}

/// Takes local variables out of the roots where they hold nothing, or marks what is alive without them where somebody
/// asks for that.
fn look_at_locals(
    who: &Who<'_>, heap: &StoppedHeap, roots: &mut Roots, bytes: &mut Buf<u8>,
) -> Result<Locals, OutOfMemory> {
    let terms = &who.request.terms;
    if !terms.without_locals && !terms.tells_locals {
        return Ok(Locals::NONE);
    }
    let parted = locals::part(who, heap, roots)?;
    if terms.without_locals {
        (roots.strong, roots.words) = (parted.others.strong, parted.others.words);
    } else if parted.is_held() {
        let (words, mut strong) = (words_of(&parted.others)?, Buf::new(&SCRATCH));
        for range in parted.others.strong.as_slice() {
            strong.push(root_of(range))?;
        }
        let (words, strong) = (words.as_slice(), strong.as_slice());
        let from = MarkRoots { words, strong, weak: &[], ends: false, tags: false };
        mark_uncounted(heap, from, bytes, &SCRATCH)?;
        return Locals::among(who, heap, marks_of(bytes), &parted);
    }
    Ok(Locals::NONE)
}

/// Which threads, by number, vanished by fork. What they allocated is not the child's to free; nothing keeps it reachable
/// for sure, because libc uses their stacks again.
fn vanished_threads() -> Result<Buf<bool>, OutOfMemory> {
    let mut vanished = Buf::new(&SCRATCH);
    let mut outcome = Ok(());
    THREADS.each_vanished(|number| {
        let number = usize::from(number as u16);
        while vanished.as_slice().len() <= number && outcome.is_ok() {
            outcome = vanished.push(false);
        }
        if let Some(is_vanished) = vanished.as_mut_slice().get_mut(number) {
            *is_vanished = true;
        }
    });
    outcome.map(|()| vanished)
}

/// Excuses from this check, and from all that follow, what its terms allow: what was lost, and what is alive and may be
/// lost later, or already is and some stale word hides it.
fn excuse(
    who: &Who<'_>, heap: &StoppedHeap, modules: &Modules, bytes: &mut Buf<u8>, suppressions: &mut Suppressions,
    findings: &mut Findings,
) {
    let terms = &who.request.terms;
    let has_rules = !terms.allow.is_empty();
    if terms.max_leaked == 0 && !terms.excuse_live && !has_rules {
        return;
    }
    let mut alive = 0;
    heap.each_live(&mut |slot, size| {
        if let Some(live) = SPANS.meta(slot.id).live().filter(|live| who.counts(live)) {
            alive += size as u64;
            if has_rules && let Some(rule) = suppressions.find(modules, live.trace) {
                excuse_by_rule(suppressions, rule, slot);
            }
        }
    });
    // Blocks without bytes are blocks, too.
    let (blocks, leaked) = (findings.totals.leaked_blocks, findings.totals.leaked_bytes);
    let excuses_leaks = blocks > 0 && (1..=terms.max_leaked).contains(&leaked.max(1));
    let excuses_live = blocks == 0 && (terms.excuse_live || alive <= terms.max_leaked);
    if excuses_leaks || excuses_live {
        let marks = marks_of(bytes);
        heap.each_live(&mut |slot, _| {
            let meta = SPANS.meta(slot.id);
            let takes_all = excuses_live || who.request.mode == Mode::Draconian;
            let is_excused = takes_all || marks.is_lost(slot.id);
            if is_excused && meta.live().is_some_and(|live| who.counts(&live)) {
                meta.add_state(IGNORED);
            }
        });
        ANNOTATIONS.note_ignored();
    }
    if excuses_leaks {
        findings.excuse();
    }
}

/// Excuses one block that a scope's own rule matches.
fn excuse_by_rule(suppressions: &Suppressions, rule: usize, slot: Slot) {
    if suppressions.is_own(rule) {
        SPANS.meta(slot.id).add_state(IGNORED);
        ANNOTATIONS.note_ignored();
    }
}

/// Whether ld.so allocated the block for itself: it keeps track of such blocks in places of its own.
fn is_loaders(modules: &Modules, trace: u32) -> bool {
    let inner = DEPOT.innermost(trace);
    inner
        .and_then(|pc| modules.find(pc.wrapping_sub(1)))
        .is_some_and(|module| modules.all()[module].role == Role::Loader)
}

/// Whether code of the executable is in the trace: what libraries set up before `main` without it is theirs for good.
fn has_program_frame(modules: &Modules, trace: u32) -> bool {
    DEPOT.trace(trace).pcs.iter().filter_map(|pc| modules.find(pc.wrapping_sub(1))).any(|module| {
        // The program's start code calls every library's constructors.
        modules.all()[module].role == Role::Program
    })
}

/// Classifies what was not reached. Blocks of ld.so and suppressed ones are then reached after all, with what hangs on
/// them, and the rest is classified anew.
fn find_leaks(
    who: &Who<'_>, heap: &StoppedHeap, modules: &Modules, lost: Buf<Slot>, bytes: &mut Buf<u8>,
    suppressions: &mut Suppressions, findings: &mut Findings,
) -> Result<Option<Leaks<ArenaMemory>>, OutOfMemory> {
    if who.request.mode == Mode::Draconian {
        return add_unfreed(who, heap, modules, suppressions, findings).map(|()| None);
    }
    let mut excused = Buf::new(&SCRATCH);
    let trusts_loader = CONFIG.options().is_none_or(|options| options.roots.has(RootSwitches::DTV));
    for slot in lost.as_slice() {
        let Some(live) = SPANS.meta(slot.id).live() else { continue };
        if (trusts_loader && is_loaders(modules, live.trace)) || THREADS.is_inherited(live.thread) {
            excused.push(slot.base)?;
        } else if let Some(rule) = suppressions.find(modules, live.trace) {
            excused.push(slot.base)?;
            if who.counts(&live) {
                excuse_by_rule(suppressions, rule, *slot);
                suppressions.count(rule, live.size as u64);
                findings.add(LeakKind::Direct, &live, true, (0, 0))?;
            }
        }
    }
    if !excused.as_slice().is_empty() {
        mark_more(heap, excused.as_slice(), bytes, &SCRATCH)?;
    }
    let marks = marks_of(bytes);
    let still_lost = lost.as_slice().iter().filter(|slot| marks.is_lost(slot.id));
    let leaks = classify(&ArenaMemory(&SCRATCH), heap, still_lost.copied())?;
    for (number, block) in leaks.blocks().iter().enumerate() {
        let Some(live) = SPANS.meta(block.slot.id).live() else { continue };
        findings.guests += u64::from(who.excludes(&live));
        if who.counts(&live) {
            let number = number as u32;
            findings.add(kind_of(leaks.kind(number)), &live, false, retained_of(&leaks, number))?;
        }
    }
    Ok(Some(leaks))
}

/// The live blocks that nothing reaches. Where the census saw none, nobody walks.
fn find_lost(heap: &StoppedHeap, census: &Census, bytes: &mut Buf<u8>) -> Result<Buf<Slot>, OutOfMemory> {
    let mut lost = Buf::new(&SCRATCH);
    let marks = marks_of(bytes);
    let mut index = 0;
    while lost.as_slice().len() < census.lost && index < heap.runs() {
        let run = heap.run(index);
        for slot in run.iter().flat_map(|run| (0..run.slots).map(|index| run.slot(index))) {
            if marks.is_lost(slot.id) {
                lost.push(slot)?;
            }
        }
        index += 1;
    }
    Ok(lost)
}

fn add_unfreed(
    who: &Who<'_>, heap: &StoppedHeap, modules: &Modules, suppressions: &mut Suppressions,
    findings: &mut Findings,
) -> Result<(), OutOfMemory> {
    let mut outcome = Ok(());
    heap.each_live(&mut |slot, _| {
        let Some(live) = SPANS.meta(slot.id).live() else { return };
        let immortal = live.state & IGNORED != 0
            || (live.state & EARLY != 0 && !has_program_frame(modules, live.trace))
            || is_loaders(modules, live.trace)
            || suppressions.is_immortal(modules, live.trace);
        findings.guests += u64::from(!immortal && who.excludes(&live));
        if outcome.is_err() || immortal || !who.counts(&live) {
            return;
        }
        let rule = suppressions.find(modules, live.trace);
        if let Some(rule) = rule {
            excuse_by_rule(suppressions, rule, slot);
            suppressions.count(rule, live.size as u64);
        }
        outcome = findings.add(LeakKind::Unfreed, &live, rule.is_some(), (0, 0));
    });
    outcome
}

fn add_doubtful(
    who: &Who<'_>, heap: &StoppedHeap, bytes: &mut Buf<u8>, findings: &mut Findings,
) -> Result<(), OutOfMemory> {
    if matches!(who.request.mode, Mode::Strict | Mode::Draconian) {
        return Ok(());
    }
    let marks = marks_of(bytes);
    let mut outcome = Ok(());
    heap.each_live(&mut |slot, _| {
        if marks.is_doubtful(slot.id)
            && let Some(live) = SPANS.meta(slot.id).live()
            && who.counts(&live)
        {
            outcome = outcome.and(findings.add(LeakKind::Doubtful, &live, false, (0, 0)));
        }
    });
    outcome
}

fn count(census: &Census, stopped: &Stopped, findings: &mut Findings) {
    let totals = &mut findings.totals;
    (totals.live_blocks, totals.live_bytes) = (census.blocks as u64, census.bytes as u64);
    if ANNOTATIONS.any_ignored() {
        SPANS.each_live(|_, meta| {
            if let Some(live) = meta.live().filter(|live| live.state & IGNORED != 0) {
                totals.ignored_blocks += 1;
                totals.ignored_bytes += live.size as u64;
            }
        });
    }
    THREADS.each(|thread| totals.allocations += thread.allocations.load(Relaxed));
    totals.frees = totals.allocations.saturating_sub(totals.live_blocks);
    totals.traces = DEPOT.count() as u64;
    totals.threads = stopped.threads().len() as u64 + 1;
    let missed = |method: Method| matches!(method, Method::WholeStack | Method::Nothing);
    totals.threads_unstopped = stopped.threads().iter().filter(|thread| missed(thread.method)).count() as u64;
}

/// Whether a scope can be left unchecked: nothing of it lives.
pub(crate) fn is_empty_scope(scope: u32) -> bool {
    scope != 0 && scope::is_empty(&SCOPES, &THREADS, scope)
}
