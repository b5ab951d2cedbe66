#![expect(unsafe_code, reason = "reads the initial stack and calls the functions of libc that we hide")]
//! The beginning: the first allocation of a process decides whether it is checked.
//!
//! It comes long before the constructor: ld.so and other libraries' constructors allocate. So nothing here may rely on
//! libc being set up; the environment is read from the initial stack, where the kernel put it.
//!
//! A process without `HEAPCHECK` is left alone: its allocations go to libc's own functions under their other names. Where
//! the runtime is linked in, it takes `HEAPCHECK=off` for that, or a preloaded runtime.
//!
//! # Safety
//! `__libc_stack_end` points at the argument count, which the argument and environment pointers follow (x86-64 psABI,
//! initial process stack). The `__libc_*` functions have the contracts of their namesakes.

use crate::arch::weak_symbol;
use crate::capture::Capture;
use crate::record_state::FdSink;
use crate::limits::{DEPTH_MAX, SHORT_MAX};
use crate::options::{self, Mode, OptionError, Options, Stacks};
use crate::executable;
use crate::lock;
use crate::state::{
    ACTIVE, COLD, CONFIG, DORMANT, EARLY, INITIAL_STACK, PHASE_LOCK, REGION, SETTINGS, SPANS, STACKS_FULL, STACKS_OFF,
    STACKS_SHORT, STACKS_VERIFIED, THREADS, enter, is_recording, phase,
};
use crate::tenancy;
use crate::text::Text;
use crate::sys;
use crate::thread::Thread;
use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

/// What `HEAPCHECK_CHILDREN` is called in children that are followed only below a folder: as long as the other name, so
/// that it can be changed where it stands.
pub(crate) const CHILD_OF: &[u8; 18] = b"HEAPCHECK_CHILD_OF";
/// Names the only executable that is meant, where others stand in front of it: a runner. These are left alone, and hand
/// the environment on.
pub(crate) const BEHIND: &[u8] = b"HEAPCHECK_BEHIND";

weak_symbol!(stack_end_symbol = "__libc_stack_end");
weak_symbol!(environ_symbol = "environ");
weak_symbol!(preloaded_malloc = "heapcheck_preloaded_malloc");

#[cfg(not(heapcheck_static))]
mod hidden {
    use crate::arch::weak_symbol;

    weak_symbol!(libc_malloc = "__libc_malloc");
    weak_symbol!(libc_memalign = "__libc_memalign");
    weak_symbol!(libc_realloc = "__libc_realloc");
    weak_symbol!(libc_free = "__libc_free");
}
#[cfg(not(heapcheck_static))]
use hidden::{libc_free, libc_malloc, libc_memalign, libc_realloc};
#[cfg(heapcheck_static)]
use crate::real::{free as libc_free, malloc as libc_malloc, memalign as libc_memalign, realloc as libc_realloc};

/// Gives the calling thread a record, or answers `None` when this process is left alone.
pub(crate) fn attach() -> Option<&'static mut Thread> {
    if phase() == COLD {
        begin();
    }
    if !is_recording() {
        return None;
    }
    let thread = THREADS.attach(SETTINGS.born.load(Relaxed)).ok()?;
    tenancy::set_pace(thread, false);
    find_stack(&mut thread.capture, thread.pointer);
    Some(thread)
}

/// Decides, once.
#[cold]
fn begin() {
    let _held = PHASE_LOCK.hold();
    if phase() != COLD {
        return;
    }
    if another_is_here() {
        return enter(DORMANT);
    }
    let options = match options::parse(b"", setting) {
        Ok(options) => options,
        Err(error) => refuse(&error),
    };
    let is_wanted =
        variable(CHILD_OF).is_none_or(executable::lies_below) && variable(BEHIND).is_none_or(executable::is_at);
    if options.mode.is_none() || !is_wanted {
        return enter(DORMANT);
    }
    let opened = REGION.reserve().and_then(|()| {
        REGION.spans.open_to(REGION.spans.start() + 1)?;
        REGION.heap.open_to(REGION.heap.start() + 1)
    });
    if opened.is_err() {
        sys::write_all(2, b"heapcheck: cannot reserve addresses for the heap; this process is not checked\n").ok();
        return enter(DORMANT);
    }
    SPANS.begin(&REGION);
    // SAFETY: this is the first allocation of the process: there is one thread.
    unsafe { CONFIG.set_options(options) };
    apply(&options);
    enter(EARLY);
}

/// Reads the options anew, on top of what the program brings along.
pub(crate) fn read_options(defaults: &'static [u8]) {
    match options::parse(defaults, setting) {
        Ok(options) => {
            // SAFETY: the constructor calls this: there is one thread.
            unsafe { CONFIG.set_options(options) };
            apply(&options);
        }
        Err(error) => refuse(&error),
    }
}

/// Reads a variable that is a setting. Who links the runtime in wants it, so there no word on the mode is one: what
/// asks for a check gets it, and nothing else is checked.
fn setting(name: &[u8]) -> Option<&'static [u8]> {
    let said = variable(name);
    let is_unsaid = said.unwrap_or_default().is_empty();
    if cfg!(heapcheck_linked) && is_unsaid && name == options::table::MODE.as_bytes() {
        return Some(Mode::Local.name().as_bytes());
    }
    said
}

/// Whether this runtime is linked in and another is preloaded, to which all calls go.
fn another_is_here() -> bool {
    cfg!(heapcheck_linked) && preloaded_malloc() != 0
}

/// Ends a process whose settings make no sense: a wrong check would be worse than none.
fn refuse(error: &OptionError<'_>) -> ! {
    let mut sink = FdSink(2);
    let mut text = Text::new(&mut sink);
    error.write(&mut text);
    drop(text);
    sys::exit_process(2)
}

/// Puts the options where the allocation functions look.
pub(crate) fn apply(options: &Options<'_>) {
    let stacks = |stacks: Stacks| match stacks {
        Stacks::Off => STACKS_OFF,
        Stacks::Short => STACKS_SHORT,
        Stacks::Full => STACKS_FULL,
    };
    SETTINGS.stacks.store(if options.verify { STACKS_VERIFIED } else { stacks(options.stacks) }, Relaxed);
    SETTINGS.free_stacks.store(stacks(options.free_stacks()), Relaxed);
    SETTINGS.depth.store(options.depth.min(DEPTH_MAX), Relaxed);
    SETTINGS.short_depth.store(options.short_depth.min(SHORT_MAX), Relaxed);
    SETTINGS.zero.store(options.zero, Relaxed);
    lock::let_through(options.stop_signal);
}

/// Finds the bounds of the calling thread's stack where that needs no help of libc: below the thread control block of a
/// thread that libc made, or in the main thread below the strings that the kernel put on its stack.
fn find_stack(capture: &mut Capture, pointer: usize) {
    let sp = crate::arch::stack_pointer();
    let top = initial_stack();
    let most = sys::limit_of(sys::RLIMIT_STACK).min(1 << 30) as usize;
    if sp < top && top - sp <= most.max(8 << 20) {
        capture.set_stack(top - most.max(8 << 20), top);
    } else if sp < pointer && pointer - sp <= 8 << 20 {
        capture.set_stack(pointer - (8 << 20), pointer);
    }
}

/// Notes where the arguments lie: behind their count. libc's start function is given their address before anything is
/// set up, even relocation and thread-local storage.
pub(crate) fn set_arguments(arguments: usize) {
    INITIAL_STACK.store(arguments - size_of::<usize>(), Relaxed);
}

/// The address of the argument count, or 0 when nobody tells it.
pub(crate) fn initial_stack() -> usize {
    let noted = INITIAL_STACK.load(Relaxed);
    if noted != 0 {
        return noted;
    }
    let symbol = stack_end_symbol();
    // SAFETY: see the head of this file.
    if symbol == 0 { 0 } else { unsafe { (symbol as *const usize).read() } }
}

/// The environment that the process was started with.
fn initial_environment() -> *const *const i8 {
    let stack = initial_stack() as *const usize;
    // SAFETY: see the head of this file.
    unsafe {
        if !stack.is_null() {
            return stack.add(stack.read() + 2).cast();
        }
        let symbol = environ_symbol() as *const *const *const i8;
        if symbol.is_null() { core::ptr::null() } else { symbol.read() }
    }
}

/// The environment as the program sees it, to edit.
pub(crate) fn environment() -> *mut *const i8 {
    let symbol = environ_symbol() as *const *mut *const i8;
    // SAFETY: `environ` is a variable of libc.
    if symbol.is_null() { core::ptr::null_mut() } else { unsafe { symbol.read() } }
}

/// Reads a variable of the initial environment.
pub(crate) fn variable(name: &[u8]) -> Option<&'static [u8]> {
    let mut entry = initial_environment();
    if entry.is_null() {
        return None;
    }
    // SAFETY: the array ends with null, its strings with zero, and both outlive the process's code.
    unsafe {
        while !(*entry).is_null() {
            let text = CStr::from_ptr((*entry).cast()).to_bytes();
            if text.len() > name.len() && text.starts_with(name) && text[name.len()] == b'=' {
                return Some(&text[name.len() + 1..]);
            }
            entry = entry.add(1);
        }
    }
    None
}

/// Allocates in a process that is left alone.
pub(crate) fn libc_allocate(bytes: usize, align: usize) -> *mut u8 {
    type Malloc = unsafe extern "C" fn(usize) -> *mut u8;
    type Memalign = unsafe extern "C" fn(usize, usize) -> *mut u8;
    // SAFETY: the symbols have these types in glibc.
    unsafe {
        if align <= 16 && libc_malloc() != 0 {
            return core::mem::transmute::<usize, Malloc>(libc_malloc())(bytes);
        }
        if libc_memalign() != 0 {
            return core::mem::transmute::<usize, Memalign>(libc_memalign())(align, bytes);
        }
    }
    out_of_memory()
}

/// Releases a block that libc allocated, when this process is left alone.
pub(crate) fn libc_release(address: usize) -> bool {
    if phase() == COLD {
        begin();
    }
    if is_recording() || libc_free() == 0 {
        return false;
    }
    // SAFETY: the symbol has this type in glibc.
    unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(usize)>(libc_free())(address) };
    true
}

/// Resizes a block that libc allocated, when this process is left alone.
pub(crate) fn libc_resize(address: usize, bytes: usize) -> Option<*mut u8> {
    if is_recording() || libc_realloc() == 0 {
        return None;
    }
    // SAFETY: the symbol has this type in glibc.
    Some(unsafe {
        core::mem::transmute::<usize, unsafe extern "C" fn(usize, usize) -> *mut u8>(libc_realloc())(address, bytes)
    })
}

/// The size of a block that libc allocated, when this process is left alone: asked of the function that ours hides.
pub(crate) fn libc_usable_size(address: usize) -> Option<usize> {
    if is_recording() || address == 0 {
        return None;
    }
    let real = crate::real::find(c"malloc_usable_size");
    // SAFETY: the symbol has this type in every libc.
    (real != 0).then(|| unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(usize) -> usize>(real)(address) })
}

/// Whether the process is set up in full.
pub(crate) fn is_active() -> bool {
    phase() == ACTIVE
}

/// Says that there is no memory, as malloc(3) does.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory() -> *mut u8 {
    sys::libc::set_errno(sys::ENOMEM);
    core::ptr::null_mut()
}
