#![expect(unsafe_code, reason = "exports the interface of heapcheck.h and of LeakSanitizer")]
//! What a program may ask of us: `heapcheck.h`, and the `__lsan_*` functions of `sanitizer/lsan_interface.h`.
//!
//! # Safety
//! Arguments are plain numbers but for names, which are C strings or null as the header says.

use crate::heap::meta::IGNORED;
use crate::inspect::is_empty_scope;
use crate::request::Request;
use crate::options::Mode;
use crate::process::run_request;
use crate::record::Moment;
use crate::scope;
use crate::start;
use crate::state::{ACTIVE, ANNOTATIONS, CONFIG, SCOPES, SETTINGS, SPANS, is_recording, phase};
use crate::sys;
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

/// Checks now; the leaked bytes, or -1.
#[inline(always)]
fn check_now(scope: u32) -> i64 {
    if !is_recording() {
        return 0;
    }
    let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) else { return -1 };
    if is_empty_scope(scope) {
        return 0;
    }
    let moment = if scope == 0 { Moment::Call } else { Moment::Scope };
    let mode = match options.mode {
        // Before main nothing counts in minimal, but what a scope owns does; draconian is for the end.
        Some(Mode::Draconian | Mode::Local) | None => Mode::Normal,
        Some(mode) => mode,
    };
    let request = Request::here(moment, mode, scope);
    run_request(options, &request).map_or(-1, |bytes| bytes as i64)
}

fn disable() {
    if let Some(thread) = current() {
        set_disabled(thread, thread.disabled + 1);
    }
}

fn enable() {
    let Some(thread) = current() else { return };
    if thread.disabled == 0 {
        let _ = sys::write_all(2, b"heapcheck: __lsan_enable without __lsan_disable before it\n");
        return;
    }
    set_disabled(thread, thread.disabled - 1);
}

macro_rules! exported {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? $body
    )*};
}

exported! {
    fn heapcheck_is_active() -> i32 { i32::from(phase() == ACTIVE) }
    fn heapcheck_scope_begin(name: *const c_char) -> u32 {
        let Some(thread) = current() else { return 0 };
        // SAFETY: the header says: a C string or null.
        let name = if name.is_null() { b"scope" } else { unsafe { CStr::from_ptr(name) }.to_bytes() };
        let Ok(number) = SCOPES.open(thread.scope, name) else { return 0 };
        scope::enter(&SCOPES, thread, number);
        number
    }
    fn heapcheck_scope_check(scope: u32) -> i64 {
        if scope == 0 && is_recording() { -1 } else { check_now(scope) }
    }
    fn heapcheck_scope_end(scope: u32) {
        let (Some(thread), Some(found)) = (current(), SCOPES.get(scope)) else { return };
        found.closed.store(1, Relaxed);
        if SCOPES.is_within(thread.scope, scope) {
            scope::enter(&SCOPES, thread, found.parent.load(Relaxed));
        }
    }
    fn heapcheck_disable() { disable() }
    fn heapcheck_enable() { enable() }
    fn heapcheck_ignore(address: usize) { ignore(address) }
    fn heapcheck_root_region_add(address: usize, bytes: usize) {
        let _ = ANNOTATIONS.add_region(address, address.saturating_add(bytes));
    }
    fn heapcheck_root_region_remove(address: usize, bytes: usize) {
        ANNOTATIONS.remove_region(address, address.saturating_add(bytes));
    }
    fn heapcheck_check_now() -> i64 { check_now(0) }

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
    fn __lsan_do_recoverable_leak_check() -> i32 { i32::from(check_now(0) > 0) }
    fn __lsan_do_leak_check() { crate::process::check_or_end() }
}
