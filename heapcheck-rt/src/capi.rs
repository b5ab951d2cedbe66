#![expect(unsafe_code, reason = "exports the interface of heapcheck.h and of LeakSanitizer")]
//! What a program may ask of us: `heapcheck.h`, and the `__lsan_*` functions of `sanitizer/lsan_interface.h`.
//!
//! # Safety
//! Arguments are plain numbers but for names, which are C strings or null as the header says.

use crate::contract::{ANSWERED, IMPOSSIBLE, Question, Sums, UNKNOWN};
use crate::exports::{exported, placed};
use crate::heap::meta::IGNORED;
use crate::inspect::is_empty_scope;
use crate::request::Request;
use crate::options::Mode;
use crate::place::Place;
use crate::process::run_request;
use crate::record::Moment;
use crate::scope::Scope;
use crate::scope_check;
use crate::start;
use crate::state::{ACTIVE, ANNOTATIONS, CONFIG, SCOPES, SETTINGS, SPANS, is_recording, phase};
use crate::sys;
use crate::tenancy;
use crate::thread::Thread;
use core::ffi::{CStr, c_char};
use core::sync::atomic::Ordering::Relaxed;

fn current() -> Option<&'static mut Thread> {
    Thread::current().or_else(start::attach)
}

fn set_disabled(thread: &mut Thread, depth: u32) {
    thread.disabled = depth;
    let born = SETTINGS.born.load(Relaxed) | if depth > 0 { IGNORED } else { 0 };
    if depth > 0 {
        ANNOTATIONS.note_ignored();
    }
    thread.set_born(born);
}

fn ignore(address: usize) {
    if !SPANS.covers(address) {
        return;
    }
    if let Some(slot) = SPANS.slot_of(address) {
        let meta = SPANS.meta(slot.id);
        if meta.live().is_some_and(|live| address - slot.base < live.size.max(1)) {
            meta.add_state(IGNORED);
            ANNOTATIONS.note_ignored();
        }
    }
}

/// Ignores the block that holds a value, or else the blocks that the value points to.
fn ignore_value(address: usize, bytes: usize) {
    if SPANS.covers(address) {
        return ignore(address);
    }
    let mut word = [0usize];
    let mut at = address.next_multiple_of(size_of::<usize>());
    while at + size_of::<usize>() <= address.saturating_add(bytes) {
        // By system call: bytes of the value that were never written must not be read as numbers.
        if sys::read_memory(at, &mut word).is_ok() {
            ignore(word[0]);
        }
        at += size_of::<usize>();
    }
}

/// Checks now; the leaked bytes, or -1.
fn check_now(scope: u32, place: &Place) -> i64 {
    if !is_recording() {
        return 0;
    }
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return -1 };
    if is_empty_scope(scope) {
        return 0;
    }
    if let Some(found) = SCOPES.get(scope).filter(|_| scope != 0) {
        found.note_checked();
    }
    let moment = if scope == 0 { Moment::Call } else { Moment::Scope };
    let mode = match options.mode {
        // Before main nothing counts in minimal, but what a scope owns does; draconian is for the end.
        Some(Mode::Draconian | Mode::Local) | None => Mode::Normal,
        Some(mode) => mode,
    };
    let request = Request::from(place, moment, mode, scope);
    run_request(options, &request).map_or(-1, |bytes| bytes as i64)
}

/// Passes a question on.
fn ask(scope: u32, question: *mut Question, place: &Place, answer: fn(&Request, &mut Question) -> i32) -> i32 {
    // SAFETY: the facade passes a structure of its own or null, and its first field says how long it is. All bits zero are
    // a question.
    let mut own = unsafe {
        let mut own: Question = core::mem::zeroed();
        let size = if question.is_null() { 0 } else { (*question).size as usize };
        if size < Question::BYTES_MIN {
            return UNKNOWN;
        }
        let known = size.min(size_of::<Question>());
        core::ptr::copy_nonoverlapping(question.cast::<u8>(), (&raw mut own).cast(), known);
        own
    };
    let answered = match scope_check::request_of(scope, &own, place) {
        Some(request) if scope != 0 => answer(&request, &mut own),
        _ => return IMPOSSIBLE,
    };
    // SAFETY: these answers stand before what a question has at least, and the others where its size says that they do.
    unsafe {
        if (*question).size as usize >= size_of::<Question>() {
            (*question).local_blocks = own.local_blocks;
            (*question).local_bytes = own.local_bytes;
        }
        (*question).leaked_bytes = own.leaked_bytes;
        (*question).leaked_blocks = own.leaked_blocks;
        (*question).excused_bytes = own.excused_bytes;
    }
    answered
}

fn disable() {
    if let Some(thread) = current() {
        set_disabled(thread, thread.disabled + 1);
    }
}

fn enable() {
    let Some(thread) = current() else { return };
    if thread.disabled == 0 {
        let _ = sys::write_all(2, b"heapcheck: leak checking was enabled without having been disabled before\n");
        return;
    }
    set_disabled(thread, thread.disabled - 1);
}

exported! { own "C"
    fn heapcheck_is_active() -> i32 { i32::from(phase() == ACTIVE) }
    fn heapcheck_scope_begin(name: *const c_char) -> u32 {
        let Some(thread) = current() else { return 0 };
        // SAFETY: the header says: a C string or null.
        let name = if name.is_null() { b"scope" } else { unsafe { CStr::from_ptr(name) }.to_bytes() };
        let Ok(number) = SCOPES.open(thread.scope(), name, 0) else { return 0 };
        tenancy::enter(thread, number);
        number
    }
    fn heapcheck_scope_open(name: *const u8, name_bytes: usize, flags: u32) -> u32 {
        let Some(thread) = current().filter(|_| phase() == ACTIVE) else { return 0 };
        // SAFETY: the facade passes a string of its own.
        let name = unsafe { core::slice::from_raw_parts(name, name_bytes) };
        SCOPES.open(thread.scope(), name, flags).unwrap_or(0)
    }
    fn heapcheck_scope_enter(scope: u32) -> u32 {
        let Some(thread) = current() else { return 0 };
        let before = thread.scope();
        tenancy::enter(thread, SCOPES.open_around(scope));
        before
    }
    fn heapcheck_scope_current() -> u32 { Thread::current().map_or(0, |thread| thread.scope()) }
    fn heapcheck_scope_sums(scope: u32, sums: *mut Sums) -> i32 {
        let Some(found) = SCOPES.get(scope).filter(|_| scope != 0).and_then(Scope::sums) else { return IMPOSSIBLE };
        // SAFETY: the facade passes a structure of its own, and its first field says how long that is.
        if unsafe { (*sums).size } != found.size {
            return UNKNOWN;
        }
        // SAFETY: as above.
        unsafe { sums.write(found) };
        ANSWERED
    }
    fn heapcheck_scope_baseline(scope: u32) -> i32 { scope_check::set_baseline(scope) }
    fn heapcheck_note_failure(why: *const u8, bytes: usize) {
        // SAFETY: the facade passes a string of its own.
        scope_check::note_failure(unsafe { core::slice::from_raw_parts(why, bytes) });
    }
    fn heapcheck_mode() -> u32 {
        CONFIG.options().filter(|_| phase() == ACTIVE).and_then(|options| options.mode).map_or(0, |mode| mode as u32)
    }
    fn heapcheck_scope_end(scope: u32) {
        if let Some(thread) = current() {
            tenancy::close(thread, scope);
        }
    }
    fn heapcheck_disable() { disable() }
    fn heapcheck_enable() { enable() }
    fn heapcheck_ignore(address: usize) { ignore(address) }
    fn heapcheck_ignore_value(address: usize, bytes: usize) { ignore_value(address, bytes) }
    fn heapcheck_root_region_add(address: usize, bytes: usize) {
        let _ = ANNOTATIONS.add_region(address, address.saturating_add(bytes));
    }
    fn heapcheck_root_region_remove(address: usize, bytes: usize) {
        ANNOTATIONS.remove_region(address, address.saturating_add(bytes));
    }

    fn __lsan_disable() { disable() }
    fn __lsan_enable() { enable() }
    fn __lsan_ignore_object(address: usize) { ignore(address) }
    fn __lsan_register_root_region(address: usize, bytes: usize) {
        let _ = ANNOTATIONS.add_region(address, address.saturating_add(bytes));
    }
    fn __lsan_unregister_root_region(address: usize, bytes: usize) {
        if !ANNOTATIONS.remove_region(address, address.saturating_add(bytes)) {
            let _ = sys::write_all(2, b"heapcheck: __lsan_unregister_root_region: no such region was registered\n");
        }
    }
}

placed! { own "C"
    fn heapcheck_scope_judge = on_judge;
    fn heapcheck_scope_growth = on_growth;
    fn heapcheck_scope_check = on_scope_check;
    fn heapcheck_check_now = on_check_now;
    fn __lsan_do_recoverable_leak_check = on_recoverable_leak_check;
    fn __lsan_do_leak_check = on_leak_check;
}

extern "C" fn on_judge(scope: u32, question: *mut Question, place: &Place) -> i32 {
    ask(scope, question, place, scope_check::judge)
}

extern "C" fn on_growth(scope: u32, question: *mut Question, place: &Place) -> i32 {
    ask(scope, question, place, scope_check::tell_growth)
}

extern "C" fn on_scope_check(scope: u32, _: usize, place: &Place) -> i64 {
    if scope == 0 && is_recording() { -1 } else { check_now(scope, place) }
}

extern "C" fn on_check_now(_: usize, _: usize, place: &Place) -> i64 {
    check_now(0, place)
}

extern "C" fn on_recoverable_leak_check(_: usize, _: usize, place: &Place) -> i32 {
    i32::from(check_now(0, place) > 0)
}

extern "C" fn on_leak_check(_: usize, _: usize, place: &Place) {
    crate::process::check_or_end(place);
}
