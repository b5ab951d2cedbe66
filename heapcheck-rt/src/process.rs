#![expect(unsafe_code, reason = "wraps main and the ways out of a process")]
//! The process from the constructor to its end.
//!
//! ```text
//!   constructor -> main begins -> main returns or exit() -> handlers, destructors -> on_exit: the very last handler
//!   record opened   blocks are     check of the modes         (the program's)         check of strict and draconian,
//!                   no longer       before destructors                                  verdict, record ended, status
//!                   early
//! ```
//!
//! `on_exit` is registered before anybody else can, so it runs after everything; it sees the status and may change it.
//! A second `exit` from inside it lets libc flush and end as always (glibc allows that); elsewhere we flush and end.
//!
//! # Safety
//! The real functions are called with the arguments that the program gave them.

use crate::arch::weak_symbol;
use crate::emit::Recorder;
use crate::exports::{exported, placed};
use crate::inspect::check;
use crate::limits::DEPTH_MAX;
use crate::loaded;
use crate::modules::Role;
use crate::options::{Mode, Options, Report};
use crate::place::{Place, note_place, push_place};
use crate::record::{Moment, NoteKind, Outcome};
use crate::request::Request;
use crate::state::{ACTIVE, CHECK, CONFIG, DEPOT, VERDICT, DONE, ENDING, EXITING, MAIN, SCOPES, SETTINGS, STATUS, THREADS, enter, phase};
use crate::sys::{self, libc};
use crate::thread::Thread;
use crate::unwind::{self, Registers};
use crate::{fork, start, verify};
use core::arch::naked_asm;
use core::ffi::c_void;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

weak_symbol!(on_exit_symbol = "on_exit");

/// Registers the handler that runs after all others.
pub(crate) fn register_last_handler() {
    let symbol = on_exit_symbol();
    // SAFETY: the symbol has this type (on_exit(3)); the handlers take what libc passes.
    unsafe {
        if symbol != 0 {
            type OnExit = unsafe extern "C" fn(extern "C" fn(i32, *mut c_void), *mut c_void) -> i32;
            core::mem::transmute::<usize, OnExit>(symbol)(at_the_very_end, core::ptr::null_mut());
        } else {
            libc::__cxa_atexit(at_the_very_end_without_status, core::ptr::null_mut(), core::ptr::null_mut());
        }
    }
}

type Main = extern "C-unwind" fn(i32, usize, usize) -> i32;
type StartMain = unsafe extern "C-unwind" fn(Main, i32, usize, usize, usize, usize, usize) -> i32;

exported! { wrapped "C-unwind"
    // Stands in front of libc's start function, to know when `main` begins and ends.
    fn __libc_start_main(
        main: Main, count: i32, arguments: usize, init: usize, fini: usize, loader_fini: usize, stack_end: usize
    ) -> i32 {
        MAIN.store(main as usize, Relaxed);
        if cfg!(heapcheck_static) {
            start::set_arguments(arguments);
        }
        let real = crate::real::__libc_start_main();
        // SAFETY: the symbol has this type in every libc; `main` is only replaced.
        unsafe {
            core::mem::transmute::<usize, StartMain>(real)(
                around_main, count, arguments, init, fini, loader_fini, stack_end,
            )
        }
    }
}

/// Stands around `main`. Its frame has no gaps: it stays on the stack as long as the program runs.
#[unsafe(naked)]
extern "C-unwind" fn around_main(count: i32, arguments: usize, environment: usize) -> i32 {
    naked_asm!(
        ".cfi_startproc",
        push_place!(),
        "mov ebx, edi",
        "mov r12, rsi",
        "mov r13, rdx",
        "mov rdi, rsp",
        "call {begin}",
        "mov edi, ebx",
        "mov rsi, r12",
        "mov rdx, r13",
        "call rax",
        "mov edi, eax",
        "mov rsi, rsp",
        "call {end}",
        "mov r13, [rsp + 24]",
        "mov r12, [rsp + 32]",
        "mov rbx, [rsp + 40]",
        "add rsp, 56",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
        begin = sym begin_main,
        end = sym end_main,
    )
}

/// Answers what to call as `main`.
extern "C-unwind" fn begin_main(place: &Place) -> Main {
    SETTINGS.born.store(0, Relaxed);
    THREADS.each(|thread| thread.set_born(0));
    Thread::note_root(&raw const *place as usize, place.sp, around_main as *const () as usize);
    // SAFETY: the start function gave us this pointer as `main`.
    unsafe { core::mem::transmute::<usize, Main>(MAIN.load(Relaxed)) }
}

extern "C-unwind" fn end_main(status: i32, place: &Place) -> i32 {
    // A wait in `main` may have come back only because the check stopped it. Who has called `exit` says the status.
    ENDING.leave_it_to_others();
    STATUS.store(status, Relaxed);
    leave(place);
    before_destructors(place);
    status
}

/// This thread leaves the program at `place`. A process that is left alone ends as it would.
fn leave(place: &Place) {
    if phase() == ACTIVE {
        ENDING.begin(place);
    }
}

/// The check of the modes that look before exit handlers and destructors run.
fn before_destructors(place: &Place) {
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return };
    if !EXITING.swap(true, AcqRel) {
        check_before_destructors(options, place);
    }
}

fn check_before_destructors(options: &'static Options<'static>, place: &Place) {
    if checks_at_exit(options) && !options.after_destructors {
        run(options, place, Moment::BeforeDestructors);
    } else if cfg!(heapcheck_linked) && options.mode == Some(Mode::Local) && may_check_at_exit(options) {
        look_late(options, place);
    }
}

/// Looks whether tests that have passed lost something after all: at the end of a test another thread's stack may hold a
/// word that looks like a pointer to it. With the tool a check at the end tells that; here nobody else does.
#[inline(never)]
fn look_late(options: &'static Options<'static>, place: &Place) {
    let mut request = Request::from(place, Moment::BeforeDestructors, Mode::Normal, 0);
    request.terms.is_late = true;
    request.terms.is_silent_when_clean = true;
    if run_request(options, &request).is_some_and(|bytes| bytes > 0) && options.report == Report::Plain {
        let _ = sys::write_all(2, b"heapcheck: tests that have passed lost this: it was hidden when they ended\n");
    }
}

fn checks_at_exit(options: &Options<'_>) -> bool {
    options.mode != Some(Mode::Local) && may_check_at_exit(options)
}

fn may_check_at_exit(options: &Options<'_>) -> bool {
    options.detect_leaks && options.check_at_exit && !VERDICT.is_turned_off()
}

/// Checks the whole process and answers whether that was possible.
pub(crate) fn run(options: &'static Options<'static>, place: &Place, moment: Moment) -> Option<u64> {
    run_request(options, &Request::from(place, moment, options.mode.unwrap_or(Mode::Normal), 0))
}

/// Makes a check and answers how many bytes leaked, or `None` when it was not possible.
#[inline(never)]
pub(crate) fn run_request(options: &'static Options<'static>, request: &Request) -> Option<u64> {
    match check(request, options) {
        Ok(found) => Some(found.totals.leaked_bytes),
        Err(failed) => {
            VERDICT.set_failed(failed.0);
            None
        }
    }
}

/// Checks now and ends the process when something leaked (`__lsan_do_leak_check`). When nothing did, the program goes on
/// and is checked again at its end; LeakSanitizer would look no more.
#[inline(never)]
pub(crate) fn check_or_end(place: &Place) {
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return };
    if VERDICT.is_turned_off() || !options.detect_leaks {
        return;
    }
    let leaked = run(options, place, Moment::Call);
    if leaked.is_some_and(|bytes| bytes > 0) {
        enter(DONE);
        let status = conclude(options, 0);
        end_with(status)
    }
}

/// The last handler where libc tells it no status: where there is no `on_exit`, and in static programs.
#[unsafe(naked)]
pub(crate) extern "C" fn at_the_very_end_without_status(_: *mut c_void) {
    note_place!(end_without_status)
}

extern "C" fn end_without_status(_: usize, _: usize, place: &Place) {
    end_of_all(STATUS.load(Relaxed), 0, place);
}

/// The last handler of all.
#[unsafe(naked)]
extern "C" fn at_the_very_end(status: i32, _: *mut c_void) {
    note_place!(end_of_all)
}

extern "C" fn end_of_all(status: i32, _: usize, place: &Place) {
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return };
    let place = ENDING.place().or_else(|| abandoned(place)).unwrap_or(*place);
    if checks_at_exit(options) && options.after_destructors {
        run(options, &place, Moment::AfterDestructors);
    }
    if !EXITING.swap(true, AcqRel) {
        // main never ended: the process ends in a way that no wrapper saw.
        check_before_destructors(options, &place);
    }
    enter(DONE);
    let changed = conclude(options, status);
    if options.verify {
        verify::report();
    }
    if changed != status {
        end_with(changed);
    }
}

/// Where the last thread has left the program, when libc ends the process because that one has ended. From `place` up to the
/// runtime's frame around what the thread has run there are frames of libc alone, then, and none of the program's.
fn abandoned(place: &Place) -> Option<Place> {
    let root = Thread::current()?.capture.root_end();
    // A signal may have asked for a check, and that must not stop a thread that takes from the arena of checks.
    let _no_check = CHECK.hold();
    let modules = loaded::take().ok()?;
    let libc = modules.find(place.pc)?;
    let is_libc = |pc: usize| modules.find(pc) == Some(libc) && modules.all()[libc].role != Role::Program;
    let from = Registers { pc: place.pc, sp: place.sp, bp: place.frame_pointer(), interrupted: false };
    let (mut is_left, mut reached) = (true, 0);
    unwind::each_frame(from, |pc| modules.tables_of(pc), DEPTH_MAX, |frame, end| {
        is_left &= frame.sp >= root || is_libc(frame.pc);
        reached = end;
    });
    (is_left && root != 0 && place.sp < root && reached >= root).then(|| Place::at(root))
}

/// Ends the record and answers the status that the process should have.
fn conclude(options: &'static Options<'static>, status: i32) -> i32 {
    let mut recorder = Recorder::open(options);
    let verdict = VERDICT.missing(&DEPOT);
    for ignored in options.notes.iter() {
        recorder.write_note(NoteKind::Setting, ignored.name);
    }
    let (outcome, reason) = match (recorder.found(), verdict) {
        (true, _) => (Outcome::Leaked, ""),
        (false, Some(reason)) => (Outcome::NoVerdict, reason),
        (false, None) if recorder.was_checked() || options.mode == Some(Mode::Local) => (Outcome::Clean, ""),
        (false, None) => (Outcome::NoCheck, no_check_reason()),
    };
    // Where the runtime is linked in, who asked has had its answer, and may have wanted that one.
    let is_ours_to_tell = !cfg!(heapcheck_linked) || options.mode != Some(Mode::Local) || recorder.found_unasked();
    let is_changed = status == 0 && outcome == Outcome::Leaked && is_ours_to_tell;
    let changed = if is_changed { options.exit_code } else { status };
    recorder.end(changed, outcome, reason.as_bytes());
    drop(recorder);
    if outcome == Outcome::NoVerdict {
        crate::emit::no_verdict(options, reason.as_bytes());
    }
    changed
}

fn no_check_reason() -> &'static str {
    if VERDICT.is_turned_off() {
        "the program's __lsan_is_turned_off says so"
    } else {
        "an option turns the check at exit off"
    }
}

/// Ends the process with another status, after libc has flushed what it holds.
fn end_with(status: i32) -> ! {
    if on_exit_symbol() != 0 {
        let real = crate::real::find(c"exit");
        if real != 0 {
            // SAFETY: the symbol has this type; glibc goes on with what is left to do.
            unsafe { core::mem::transmute::<usize, extern "C" fn(i32) -> !>(real)(status) }
        }
    }
    // SAFETY: null means all streams.
    unsafe { libc::fflush(core::ptr::null_mut()) };
    sys::exit_process(status)
}

/// Ends the record of a process that ends without a check.
fn end_unchecked(status: i32, reason: &str) {
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return };
    if !fork::is_this_process() {
        return;
    }
    enter(DONE);
    let mut recorder = Recorder::open(options);
    let outcome = if recorder.found() { Outcome::Leaked } else { Outcome::NoCheck };
    recorder.end(status, outcome, reason.as_bytes());
}

/// Ends the record of a process that a fatal signal ends. Called from the signal's handler.
pub(crate) fn end_in_crash(signal: i32) {
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE && fork::is_this_process()) else { return };
    let Some(mut recorder) = Recorder::try_open(options) else { return };
    enter(DONE);
    let reason = match signal {
        4 => "the program died of SIGILL",
        5 => "the program died of SIGTRAP",
        7 => "the program died of SIGBUS",
        8 => "the program died of SIGFPE",
        11 => "the program died of SIGSEGV",
        _ => "the program died of SIGSYS",
    };
    let outcome = if recorder.found() { Outcome::Leaked } else { Outcome::NoCheck };
    recorder.end(128 + signal, outcome, reason.as_bytes());
}

type Exit = unsafe extern "C-unwind" fn(i32) -> !;

placed! { wrapped "C-unwind"
    fn exit = on_exit;
    fn quick_exit = on_quick_exit;
}

extern "C-unwind" fn on_exit(status: i32, _: usize, place: &Place) -> ! {
    leave(place);
    STATUS.store(status, Relaxed);
    before_destructors(place);
    // SAFETY: the symbol has this type.
    unsafe { core::mem::transmute::<usize, Exit>(crate::real::find(c"exit"))(status) }
}

extern "C-unwind" fn on_quick_exit(status: i32, _: usize, place: &Place) -> ! {
    leave(place);
    let mut changed = status;
    if let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) {
        if checks_at_exit(options) && options.after_destructors {
            run(options, place, Moment::BeforeDestructors);
        }
        check_before_destructors(options, place);
        enter(DONE);
        changed = conclude(options, status);
    }
    // SAFETY: the symbol has this type.
    unsafe { core::mem::transmute::<usize, Exit>(crate::real::find(c"quick_exit"))(changed) }
}

exported! { wrapped "C-unwind"
    fn _exit(status: i32) -> ! {
        end_unchecked(status, "the program called _exit");
        sys::exit_process(status)
    }
    fn _Exit(status: i32) -> ! {
        end_unchecked(status, "the program called _Exit");
        sys::exit_process(status)
    }
    fn abort() -> ! {
        end_unchecked(134, "the program called abort");
        // SAFETY: the symbol has this type.
        unsafe { core::mem::transmute::<usize, unsafe extern "C-unwind" fn() -> !>(crate::real::find(c"abort"))() }
    }
}
