#![expect(unsafe_code, reason = "calls functions of the program and patches its allocator")]
//! The program that we are in: its executable, its allocator, and the functions that it defines for leak checkers.
//!
//! # Safety
//! Everything happens in the constructor, before the program's own code runs, while there is one thread. Functions that
//! are called have the types of LeakSanitizer's interface.

use crate::arch::weak_symbol;
use crate::elf::Elf;
use crate::foreign::{Coverage, Plan, survey};
use crate::loaded;
use crate::modules::Role;
use crate::state::{CONFIG, PAGES, VERDICT};
use crate::start;
use crate::symbols::MappedFile;
use crate::sys;
use core::ffi::CStr;

// What a program may define for a leak checker, where the loader finds it.
weak_symbol!(default_options = "__lsan_default_options");
weak_symbol!(is_turned_off = "__lsan_is_turned_off");
weak_symbol!(default_suppressions = "__lsan_default_suppressions");

/// Looks at the executable: patches its allocator where it has one of its own, and asks its functions.
pub(crate) fn cover() {
    let Ok(modules) = loaded::take_briefly() else { return };
    let Some(module) = modules.all().iter().find(|module| module.role == Role::Program) else { return };
    VERDICT.set_program(module.lo, module.hi);
    let Some(file) = MappedFile::open(b"/proc/self/exe") else { return };
    let Ok(elf) = Elf::parse(file.bytes()) else { return };
    let survey = survey(&elf);
    let survey = if cfg!(heapcheck_alone) { survey.without_rust() } else { survey };
    let plan = Plan::of(&survey);
    let protect = |address: usize, len: usize, protection: i32| {
        // SAFETY: the pages hold the functions that are patched, and nobody runs them yet.
        unsafe { sys::protect(address, len, protection as usize) }.is_ok()
    };
    // SAFETY: see the head of this file.
    match PAGES.keeping_nothing(|| unsafe { crate::cover::cover(&plan, module.base, &protect) }) {
        Coverage::Full => {}
        Coverage::IfSeen => VERDICT.set_if_seen(),
        Coverage::Missing(reason) => VERDICT.set_failed(reason.text()),
    }
    // A program that does not export its functions still has them among its symbols.
    let find = |exported: usize, name: &[u8]| match (exported, survey.address_of(name)) {
        (0, Some(address)) => module.base.wrapping_add(address as usize),
        _ => exported,
    };
    ask(
        find(default_options(), b"__lsan_default_options"),
        find(is_turned_off(), b"__lsan_is_turned_off"),
        find(default_suppressions(), b"__lsan_default_suppressions"),
    );
}

fn ask(defaults: usize, off: usize, suppressions: usize) {
    // SAFETY: see the head of this file.
    if let Some(text) = (defaults != 0).then(|| unsafe { call_for_text(defaults) }).flatten() {
        start::read_options(text);
    }
    // SAFETY: see the head of this file; the string lives as long as the program.
    unsafe {
        if off != 0 && core::mem::transmute::<usize, extern "C" fn() -> i32>(off)() != 0 {
            VERDICT.turn_off();
        }
        if let Some(text) = (suppressions != 0).then(|| call_for_text(suppressions)).flatten() {
            CONFIG.set_suppressions(text);
        }
    }
}

/// Calls a function that returns a C string or null.
///
/// # Safety
/// The function has that type, and its string lives as long as the program.
unsafe fn call_for_text(function: usize) -> Option<&'static [u8]> {
    // SAFETY: as the caller promises.
    unsafe {
        let text = core::mem::transmute::<usize, extern "C" fn() -> *const i8>(function)();
        (!text.is_null()).then(|| CStr::from_ptr(text.cast()).to_bytes())
    }
}
