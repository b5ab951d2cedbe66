#![expect(unsafe_code, reason = "calls functions of the program and patches its allocator")]
//! The program that we are in: its executable, its allocator, and the functions that it defines for leak checkers.
//!
//! # Safety
//! Everything happens in the constructor, before the program's own code runs, while there is one thread. Functions that
//! are called have the types of LeakSanitizer's interface.

use crate::children::is_below;
use crate::elf::Elf;
use crate::foreign::{Coverage, Plan, survey};
use crate::intervals::Span;
use crate::lock::Lock;
use crate::modules::{Modules, Role};
use crate::state::{CONFIG, COVERAGE, DEPOT, REGION, SCRATCH};
use crate::start;
use crate::symbols::MappedFile;
use crate::sys;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Whether this process can be judged.
#[derive(Debug)]
pub(crate) struct Covered {
    lock: Lock,
    /// Why there is no verdict; empty when there is one.
    reason: UnsafeCell<&'static str>,
    /// There is a verdict only if the program was seen to allocate small blocks.
    if_seen: AtomicBool,
    turned_off: AtomicBool,
    /// Where the executable lies.
    low: AtomicUsize,
    high: AtomicUsize,
}

// SAFETY: `reason` is only touched under the lock.
unsafe impl Sync for Covered {}

impl Covered {
    pub(crate) const fn new() -> Self {
        Self {
            lock: Lock::new(),
            reason: UnsafeCell::new(""),
            if_seen: AtomicBool::new(false),
            turned_off: AtomicBool::new(false),
            low: AtomicUsize::new(0),
            high: AtomicUsize::new(0),
        }
    }

    /// Notes why there is no verdict; the first reason counts.
    pub(crate) fn set_failed(&self, why: &'static str) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let reason = unsafe { &mut *self.reason.get() };
        if reason.is_empty() {
            *reason = why;
        }
    }

    /// Why there is no verdict.
    pub(crate) fn verdict(&self) -> Option<&'static str> {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let reason = unsafe { *self.reason.get() };
        if !reason.is_empty() {
            return Some(reason);
        }
        let seen = || self.program_allocated();
        (self.if_seen.load(Relaxed) && !seen()).then(|| crate::foreign::Reason::NothingSeen.text())
    }

    /// Whether code of the executable was seen to allocate.
    fn program_allocated(&self) -> bool {
        let program = self.low.load(Relaxed)..self.high.load(Relaxed);
        (1..=DEPOT.count() as u32).any(|trace| DEPOT.trace(trace).pcs.first().is_some_and(|pc| program.contains(pc)))
    }

    /// Whether the program's `__lsan_is_turned_off` said so.
    pub(crate) fn is_turned_off(&self) -> bool {
        self.turned_off.load(Relaxed)
    }
}

/// Whether a path names our own object.
pub(crate) fn is_runtime(path: &[u8]) -> bool {
    let mut name = [0u8; 4096];
    if path.len() + 1 > name.len() {
        return false;
    }
    name[..path.len()].copy_from_slice(path);
    let Ok(modules) = modules() else { return false };
    let Some(own) = modules.all().iter().find(|module| module.role == Role::Runtime) else { return false };
    let own = modules.name(own);
    if own == path {
        return true;
    }
    let mut own_name = [0u8; 4096];
    own_name[..own.len().min(4095)].copy_from_slice(&own[..own.len().min(4095)]);
    let identity = |path: &[u8]| {
        let fd = sys::open(path, sys::O_CLOEXEC, 0).ok()?;
        let identity = sys::file_identity(fd).ok();
        sys::close(fd);
        identity
    };
    let (given, ours) = (identity(&name[..path.len() + 1]), identity(&own_name[..own.len().min(4095) + 1]));
    given.is_some() && given == ours
}

fn modules() -> Result<Modules, crate::space::OutOfMemory> {
    Modules::take(&SCRATCH, Span::new(REGION.heap.start(), REGION.heap.end()))
}

/// Whether the executable of this process lies below a folder.
pub(crate) fn lies_below(folder: &[u8]) -> bool {
    let mut exe = [0u8; 4096];
    let len = sys::read_link(b"/proc/self/exe\0", &mut exe).unwrap_or(0);
    is_below(&exe[..len], folder)
}

/// Looks at the executable: patches its allocator where it has one of its own, and asks its functions.
pub(crate) fn cover() {
    let Ok(modules) = modules() else { return };
    let Some(module) = modules.all().iter().find(|module| module.role == Role::Program) else { return };
    COVERAGE.low.store(module.lo, Relaxed);
    COVERAGE.high.store(module.hi, Relaxed);
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
    match unsafe { crate::cover::cover(&plan, module.base, &protect) } {
        Coverage::Full => {}
        Coverage::IfSeen => COVERAGE.if_seen.store(true, Relaxed),
        Coverage::Missing(reason) => COVERAGE.set_failed(reason.text()),
    }
    let find = |name: &CStr| {
        let found = crate::real::find_any(name);
        if found != 0 {
            return found;
        }
        let symbol = elf.symbols().find(name.to_bytes()).filter(|symbol| symbol.is_defined());
        symbol.map_or(0, |symbol| module.base.wrapping_add(symbol.address as usize))
    };
    ask(find);
}

fn ask(find: impl Fn(&CStr) -> usize) {
    let defaults = find(c"__lsan_default_options");
    // SAFETY: see the head of this file.
    if let Some(text) = (defaults != 0).then(|| unsafe { call_for_text(defaults) }).flatten() {
        start::read_options(text);
    }
    let (off, suppressions) = (find(c"__lsan_is_turned_off"), find(c"__lsan_default_suppressions"));
    // SAFETY: see the head of this file; the string lives as long as the program.
    unsafe {
        if off != 0 && core::mem::transmute::<usize, extern "C" fn() -> i32>(off)() != 0 {
            COVERAGE.turned_off.store(true, Relaxed);
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
