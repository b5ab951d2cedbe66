#![expect(unsafe_code, reason = "calls functions of the program by address")]
//! Carries out a [`Plan`]: patches the module's allocator, asks the probe, and says whether its blocks are seen.
//!
//! It runs once a module, before `main`, while the process has one thread. The probe calls `__rust_alloc` and
//! `__rust_dealloc` of the program; both take plain words, which Rust's and C's calling conventions pass alike.

use crate::foreign::{Answer, Coverage, Plan, Probe, Reason, Site, Step};
use crate::foreign_hooks::entry_of;
use crate::hooks;
use crate::patch::{Protect, close, open, redirect};

/// Covers the module that is loaded at `base`.
///
/// # Safety
///
/// The plan was made from the file of that module, whose code no thread has run yet but its relocation is done.
pub(crate) unsafe fn cover(plan: &Plan<'_, '_>, base: usize, protect: Protect<'_>) -> Coverage {
    // SAFETY: the caller's promise.
    let ask = || plan.probe.map_or(Answer::NotAsked, |probe| unsafe { ask(probe, base) });
    let address_of = |site: &Site| base.wrapping_add(site.address as usize);
    let patch = || {
        let is_open = plan.sites().all(|site| open(address_of(&site), protect));
        // SAFETY: what could be opened is mapped.
        let is_same =
            is_open && plan.sites().all(|site| unsafe { holds(address_of(&site), plan.code_of(&site)) });
        for site in plan.sites().filter(|_| is_same) {
            // SAFETY: the sites are functions of the module, with room; `entry_of` takes what each of them takes.
            unsafe { redirect(address_of(&site), entry_of(site.hook)) };
        }
        plan.sites().for_each(|site| close(address_of(&site), protect));
        match (is_open, is_same) {
            (true, true) => Ok(()),
            (true, false) => Err(Reason::OtherFile),
            (false, _) => Err(Reason::WriteDenied),
        }
    };
    match plan.step {
        Step::Nothing | Step::Refuse(_) => plan.settle(Ok(()), Answer::NotAsked),
        Step::Patch => match patch() {
            Ok(()) => plan.settle(Ok(()), ask()),
            refused => plan.settle(refused, Answer::NotAsked),
        },
        Step::Probe => match ask() {
            Answer::Foreign if plan.sites().next().is_some() => match patch() {
                Ok(()) => plan.settle(Ok(()), ask()),
                refused => plan.settle(refused, Answer::Foreign),
            },
            answer => plan.settle(Ok(()), answer),
        },
    }
}

/// Whether memory holds the code that the file holds: a library may have been replaced since it was loaded.
///
/// # Safety
///
/// As many bytes as `code` has are readable at `address`.
unsafe fn holds(address: usize, code: Option<&[u8]>) -> bool {
    // SAFETY: the caller's promise.
    code.is_some_and(|code| code == unsafe { core::slice::from_raw_parts(address as *const u8, code.len()) })
}

/// Asks whose blocks `__rust_alloc` gives out.
///
/// # Safety
///
/// The probe's addresses are those of the module at `base`.
unsafe fn ask(probe: Probe, base: usize) -> Answer {
    // SAFETY: the caller's promise; `__rust_alloc(size, align)` takes two words and answers one.
    let alloc: unsafe extern "C" fn(usize, usize) -> *mut u8 =
        unsafe { core::mem::transmute(base.wrapping_add(probe.alloc as usize)) };
    let is_ours = |size: usize| {
        // SAFETY: size and alignment make a valid layout.
        let block = unsafe { alloc(size, 8) };
        if block.is_null() || !hooks::owns(block) {
            // It stays where it is: giving it back would run more of code that is not known.
            return false;
        }
        let (block_bytes, bytes) = hooks::room_of(block);
        if !Probe::is_fit(size, block_bytes, bytes) {
            return false;
        }
        // SAFETY: the block came from the line above and is used by nobody.
        unsafe { give_back(probe, base, block, size) };
        hooks::room_of(block) == (0, 0)
    };
    if Probe::SIZES.into_iter().all(is_ours) { Answer::Ours } else { Answer::Foreign }
}

/// # Safety
///
/// `block` was given out by the probe's `alloc` with this size, and the probe's addresses are those of the module.
unsafe fn give_back(probe: Probe, base: usize, block: *mut u8, size: usize) {
    match probe.dealloc {
        Some(dealloc) => {
            // SAFETY: the caller's promise; `__rust_dealloc(block, size, align)` takes three words.
            let dealloc: unsafe extern "C" fn(*mut u8, usize, usize) =
                unsafe { core::mem::transmute(base.wrapping_add(dealloc as usize)) };
            // SAFETY: the caller's promise.
            unsafe { dealloc(block, size, 8) }
        }
        // SAFETY: it was inlined everywhere; the block is the runtime's own, and nobody uses it.
        None => unsafe { hooks::release(block, 0, 0, 0) },
    }
}
