#![expect(unsafe_code, reason = "reads what the facade points to")]
//! The check of a scope, as the facade asks for it.
//!
//! Threads of the scope may be about to end while the check runs: a scoped thread is joined before its thread-local
//! destructors have run. Their stacks still hold what they lost, and they free what looks lost. So threads of the scope
//! that run are waited for, a little; and what looks lost while others sleep is looked at again. Threads that stay are
//! guests: a pool that was started here may have worked for anybody.
//!
//! # Safety
//! A question was filled by the facade: its patterns are readable, and stay so until the call returns.

use crate::arena::Buf;
use crate::contract::{ANSWERED, EXCUSE_LIVE, IMPOSSIBLE, Question, TELL_LOCALS, WITHOUT_GUESTS, WITHOUT_LOCALS};
use crate::emit::{self, Recorder};
use crate::findings::{Findings, Summary};
use crate::heap::meta::Live;
use crate::inspect::{Failed, check, is_empty_scope};
use crate::loaded;
use crate::options::{Mode, Options};
use crate::place::Place;
use crate::record::{Check, Moment, NoteKind};
use crate::request::Request;
use crate::scope::{Scope, Site};
use crate::space::{Grow, OutOfMemory};
use crate::state::{ACTIVE, CHECK, CONFIG, DEPOT, SCOPES, SCRATCH, SPANS, THREADS, VERDICT, phase};
use crate::sys;
use crate::tasks;
use crate::taskstat::TaskStatus;
use crate::thread::Thread;
use core::sync::atomic::Ordering::Relaxed;

/// How long threads of the scope are waited for that run. One that is about to end needs microseconds, or a few turns on
/// a crowded machine; one that works on in peace would keep every test waiting.
const SETTLE_NS: u64 = 200_000_000;
/// How often what looks lost is looked at again, the pauses doubling from a millisecond.
const LOOKS_MAX: u32 = 8;
/// How often that is done when nobody but the threads of others can be the reason.
const LOOKS_SURE: u32 = 2;

/// The options, when checks are possible.
fn options() -> Option<&'static Options<'static>> {
    CONFIG.options().filter(|_| phase() == ACTIVE)
}

/// The mode of a scope's check: what was asked for, else the process's.
fn mode_of(question: &Question, options: &Options<'_>) -> Mode {
    match (Mode::ALL.get((question.mode as usize).wrapping_sub(1)), options.mode) {
        (Some(mode), _) => *mode,
        // Before main nothing counts in minimal, but what a scope owns does; draconian is for the end.
        (None, Some(Mode::Draconian | Mode::Local) | None) => Mode::Normal,
        (None, Some(mode)) => mode,
    }
}

/// Makes a request of a question that was asked from a place.
pub(crate) fn request_of(scope: u32, question: &Question, place: &Place) -> Option<Request> {
    let mut request = Request::from(place, Moment::Scope, mode_of(question, options()?), scope);
    if question.allow_bytes > 0 {
        // SAFETY: see the head of this file; nothing keeps the patterns beyond this call.
        request.terms.allow = unsafe { core::slice::from_raw_parts(question.allow, question.allow_bytes) };
    }
    request.terms.max_leaked = question.max_leaked;
    request.terms.without_guests = question.flags & WITHOUT_GUESTS != 0;
    request.terms.tells_locals = question.flags & TELL_LOCALS != 0;
    request.terms.without_locals = question.flags & WITHOUT_LOCALS != 0;
    request.terms.excuse_live = question.flags & EXCUSE_LIVE != 0;
    request.terms.is_silent_when_clean = true;
    request.terms.print = question.print.map(|print| (print, question.context as usize));
    request.terms.tell = question.tell;
    Some(request)
}

/// Answers a question.
#[inline(never)]
pub(crate) fn judge(request: &Request, question: &mut Question) -> i32 {
    let Some(options) = options() else { return IMPOSSIBLE };
    let Some(scope) = SCOPES.get(request.scope) else { return IMPOSSIBLE };
    // Nobody looks at the record of a process that has the runtime linked in, so a test must not pass unseen.
    if cfg!(heapcheck_linked) && VERDICT.missing(&DEPOT).is_some() {
        return IMPOSSIBLE;
    }
    (question.leaked_bytes, question.leaked_blocks, question.excused_bytes) = (0, 0, 0);
    (question.local_blocks, question.local_bytes) = (0, 0);
    scope.note_checked();
    if is_empty_scope(request.scope) {
        return ANSWERED;
    }
    match look(request, options) {
        Ok(found) => {
            let totals = &found.totals;
            if totals.leaked_blocks > 0 {
                scope.note_told();
            }
            question.leaked_bytes = totals.leaked_bytes;
            question.leaked_blocks = totals.leaked_blocks;
            question.excused_bytes = totals.suppressed_bytes;
            (question.local_blocks, question.local_bytes) = found.locals;
            ANSWERED
        }
        Err(failed) => {
            VERDICT.set_failed(failed.0);
            IMPOSSIBLE
        }
    }
}

/// Checks until nothing is lost, or until that can't change any more.
fn look(request: &Request, options: &'static Options<'static>) -> Result<Summary, Failed> {
    clear_signal_stack();
    await_ending_threads(request.scope);
    let (mut looks, mut last) = (0, u64::MAX);
    loop {
        let mut request = *request;
        let is_alone = !has_others(request.scope);
        request.terms.is_tentative = !is_alone && looks < LOOKS_MAX;
        let found = check(&request, options)?;
        let (leaked, guests) = (found.totals.leaked_blocks, found.guests);
        if !request.terms.is_tentative || (leaked == 0 && guests == 0) {
            return Ok(found);
        }
        let is_sure = looks >= LOOKS_SURE && guests == 0 && last == leaked;
        sys::sleep_ns(1_000_000 << looks);
        (looks, last) = (if is_sure { LOOKS_MAX } else { looks + 1 }, leaked);
    }
}

/// Overwrites what earlier stops have left on the thread's signal stack: the registers of that moment.
fn clear_signal_stack() {
    if let Some((start, bytes)) = sys::idle_signal_stack() {
        // SAFETY: the kernel says that the thread is not on it, so nothing on it is in use; a handler that runs meanwhile
        // is over before this goes on.
        unsafe { (start as *mut u8).write_bytes(0, bytes) };
    }
}

/// Calls `visit` with every other thread that is in the scope.
fn each_other(scope: u32, mut visit: impl FnMut(&'static Thread, i32)) {
    let own = Thread::current().map_or(0, |thread| thread.number);
    THREADS.each(|thread| {
        let tid = thread.tid.load(Relaxed);
        if thread.number != own && SCOPES.is_within(thread.scope(), scope) && sys::is_task(tid) {
            visit(thread, tid);
        }
    });
}

fn has_others(scope: u32) -> bool {
    let mut found = false;
    each_other(scope, |_, _| found = true);
    found
}

/// Waits until no other thread of the scope runs or is past its destructors.
fn await_ending_threads(scope: u32) {
    let until = sys::monotonic_ns() + SETTLE_NS;
    let mut pause_ns = 50_000;
    loop {
        let mut is_moving = false;
        // While somebody else checks, every thread stands still.
        let no_check = CHECK.hold();
        each_other(scope, |thread, tid| {
            let sleeps = |status: TaskStatus| status.state == b'S';
            is_moving |= thread.is_leaving() || tasks::status_of(tid).is_some_and(|status| !sleeps(status));
        });
        drop(no_check);
        if !is_moving || sys::monotonic_ns() > until {
            return;
        }
        sys::sleep_ns(pause_ns);
        pause_ns = (pause_ns * 2).min(1_000_000);
    }
}

/// Which traces have how much alive in a scope, in the order of their numbers.
fn find_sites(scope: u32) -> Result<Buf<Site>, OutOfMemory> {
    let mut sites: Buf<Site> = Buf::new(&SCRATCH);
    let mut outcome = Ok(());
    SPANS.each_live(|_, meta| {
        let counts = |live: &Live| SCOPES.counts_for(live.scope, scope);
        if let Some(live) = meta.live().filter(counts) {
            outcome = outcome.and(sites.push(Site { trace: live.trace, blocks: 1, bytes: live.size as u64 }));
        }
    });
    outcome?;
    let all = sites.as_mut_slice();
    all.sort_unstable_by_key(|site| site.trace);
    let mut kept = 0;
    for index in 0..all.len() {
        let site = all[index];
        if index > 0 && all[kept].trace == site.trace {
            all[kept].blocks = all[kept].blocks.saturating_add(site.blocks);
            all[kept].bytes += site.bytes;
        } else {
            kept += usize::from(index > 0);
            all[kept] = site;
        }
    }
    let groups = if all.is_empty() { 0 } else { kept + 1 };
    sites.resize(groups, Site { trace: 0, blocks: 0, bytes: 0 })?;
    Ok(sites)
}

/// Remembers what is alive in a scope now.
pub(crate) fn set_baseline(number: u32) -> i32 {
    let Some(scope) = SCOPES.get(number).filter(|_| options().is_some()) else { return IMPOSSIBLE };
    let _one_at_a_time = CHECK.hold();
    let kept = find_sites(number).and_then(|sites| SCOPES.set_baseline(scope, sites.as_slice()));
    if kept.is_ok() { ANSWERED } else { IMPOSSIBLE }
}

/// Tells which sites have grown since the baseline, and by how much.
pub(crate) fn tell_growth(request: &Request, question: &mut Question) -> i32 {
    let Some(options) = options() else { return IMPOSSIBLE };
    let Some(scope) = SCOPES.get(request.scope) else { return IMPOSSIBLE };
    let _one_at_a_time = CHECK.hold();
    let Ok(findings) = find_growth(request.scope, scope) else { return IMPOSSIBLE };
    question.leaked_bytes = findings.totals.leaked_bytes;
    question.leaked_blocks = findings.totals.leaked_blocks;
    write_growth(request, options, findings);
    ANSWERED
}

fn find_growth(number: u32, scope: &'static Scope) -> Result<Findings, OutOfMemory> {
    let sites = find_sites(number)?;
    let mut findings = Findings::new(&SCRATCH);
    let mut outcome = Ok(());
    SCOPES.take_baseline(scope, &mut |baseline| {
        for site in sites.as_slice() {
            let before = baseline.binary_search_by_key(&site.trace, |before| before.trace);
            let (blocks, bytes) = before.map_or((0, 0), |at| (baseline[at].blocks, baseline[at].bytes));
            let grown = (site.blocks.saturating_sub(blocks), site.bytes.saturating_sub(bytes));
            if grown.1 > 0 {
                outcome = outcome.and(findings.add_growth(number, site.trace, grown));
            }
        }
    });
    outcome.map(|()| findings)
}

fn write_growth(request: &Request, options: &'static Options<'static>, mut findings: Findings) {
    let Ok(modules) = loaded::take() else { return };
    let mut recorder = Recorder::open(options);
    let check = Check {
        number: recorder.next_number(),
        scope: request.scope,
        moment: request.moment,
        mode: request.mode,
        has_in_use: false,
    };
    recorder.write_growth(&check, &findings, &modules);
    emit::report(&mut findings, request, options, &modules, recorder);
}

/// Notes in the record why a test fails.
pub(crate) fn note_failure(why: &[u8]) {
    let Some(options) = options() else { return };
    let mut recorder = Recorder::open(options);
    if recorder.begin() {
        recorder.write_note(NoteKind::Failed, why);
    }
}
