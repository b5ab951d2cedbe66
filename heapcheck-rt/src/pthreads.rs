#![expect(unsafe_code, reason = "stands in front of pthread_create and its relatives")]
//! Threads from their creation to their end.
//!
//! `pthread_create` starts a trampoline, which gives the thread its record, its stack bounds and its creator's scope
//! before the program's function runs. The end is seen by a thread-specific key, whose destructor asks to be called
//! again until the last round, so that it comes after all others. What a thread returned is kept until it is joined.
//!
//! # Safety
//! The real functions are called with the arguments that the program gave them.

use crate::arch;
use crate::exports::{exported, placed};
use crate::limits::USED_STACK_BYTES;
use crate::place::Place;
use crate::start;
use crate::starts::{self, Start};
use crate::state::{SCOPES, STORE, THREADS, THREAD_KEY};
use crate::sys::{self, libc};
use crate::tenancy;
use crate::thread::Thread;
use core::arch::naked_asm;
use core::ffi::{CStr, c_void};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Rounds of destructors (POSIX, PTHREAD_DESTRUCTOR_ITERATIONS).
const ROUNDS: u32 = 4;

type Create = unsafe extern "C" fn(*mut usize, *const c_void, extern "C-unwind" fn(usize) -> usize, usize) -> i32;
type Routine = extern "C-unwind" fn(usize) -> usize;

fn on_create(thread: *mut usize, attributes: *const c_void, routine: usize, argument: usize) -> i32 {
    let real = crate::real::find(c"pthread_create");
    // SAFETY: the symbol has this type.
    let create = unsafe { core::mem::transmute::<usize, Create>(real) };
    let Some(creator) = Thread::current().or_else(start::attach) else {
        // SAFETY: this process is left alone.
        return unsafe { create(thread, attributes, core::mem::transmute::<usize, Routine>(routine), argument) };
    };
    let (scope, turn) = tenancy::prepare_start(creator);
    let Ok(start) = starts::take(routine, argument, (scope, turn)) else { return sys::EAGAIN };
    start.has_room.store(u32::from(has_room(attributes)), Relaxed);
    // SAFETY: the trampoline takes the record.
    let outcome = unsafe { create(thread, attributes, trampoline, start as *const Start as usize) };
    if outcome != 0 {
        tenancy::cancel_start(scope, turn);
        starts::give_back(start);
    }
    outcome
}

/// The first function of every thread. Its frame has no gaps: it stays on the stack as long as the thread runs.
#[unsafe(naked)]
extern "C-unwind" fn trampoline(record: usize) -> usize {
    naked_asm!(
        ".cfi_startproc",
        "push rbx",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbx, -16",
        "mov rsi, rsp",
        "call {begin}",
        "mov rdi, rdx",
        "call rax",
        "mov rbx, rax",
        "mov rdi, rax",
        "call {keep_result}",
        "mov rax, rbx",
        "pop rbx",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
        begin = sym begin,
        keep_result = sym keep_result,
    )
}

/// The bytes of its frame: a register and the return address.
const TRAMPOLINE_BYTES: usize = 16;

/// What a thread is to run, as two registers.
#[repr(C)]
struct Work {
    function: Routine,
    argument: usize,
}

/// Sets up the thread whose trampoline has this stack pointer.
extern "C-unwind" fn begin(record: usize, sp: usize) -> Work {
    // SAFETY: `on_create` passed a record that is ours until it is given back.
    let start = unsafe { &*(record as *const Start) };
    clear_used_stack(start.has_room.load(Relaxed) != 0);
    begin_by(start, sp)
}

#[inline(never)]
fn begin_by(start: &'static Start, sp: usize) -> Work {
    let function = start.function.load(Acquire);
    let argument = start.argument.load(Relaxed);
    if let Some(thread) = start::attach() {
        find_bounds(thread);
        watch_end(thread);
        tenancy::begin(thread, start);
    }
    starts::give_back(start);
    Thread::note_root(sp, sp + TRAMPOLINE_BYTES, trampoline as *const () as usize);
    // SAFETY: the program gave this function for exactly this.
    Work { function: unsafe { core::mem::transmute::<usize, Routine>(function) }, argument }
}

/// Clears the stack below, when there are scopes: libc hands out the stacks of threads that have ended, and what those had
/// lost is still on them. Done by a thread that ends, so that the next one does not begin among such words, and by the one
/// that begins, because a thread that is stopped while it ends has its registers written below its frames.
fn clear_used_stack(has_room: bool) {
    if has_room && SCOPES.count() > 1 {
        arch::clear_below::<USED_STACK_BYTES>();
        arch::clear_wide_registers();
    }
}

/// Whether the stack of a thread with these attributes has room to be cleared.
fn has_room(attributes: *const c_void) -> bool {
    let mut bytes = usize::MAX;
    // SAFETY: the program passes attributes that were set up, or null; the result is ours.
    let found = attributes.is_null() || unsafe { libc::pthread_attr_getstacksize(attributes, &mut bytes) } == 0;
    found && bytes >= 2 * USED_STACK_BYTES
}

/// Asks libc for the bounds of the calling thread's stack. Not possible inside malloc: libc allocates for it.
fn find_bounds(thread: &mut Thread) {
    let mut attributes = [0u64; 16];
    let (mut low, mut bytes) = (0, 0);
    // SAFETY: the attributes have room for the largest pthread_attr_t (56 bytes), and the results are ours.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return;
        }
        libc::pthread_attr_getstack(&attributes, &mut low, &mut bytes);
        libc::pthread_attr_destroy(&mut attributes);
    }
    if (low..low + bytes).contains(&crate::arch::stack_pointer()) {
        thread.capture.set_stack(low, low + bytes);
    }
}

/// Makes the key. Called by the constructor.
pub(crate) fn make_key() {
    let mut key = 0;
    // SAFETY: the key is ours, the destructor below takes its value.
    if unsafe { libc::pthread_key_create(&mut key, Some(on_end)) } == 0 {
        THREAD_KEY.store(key + 1, Release);
    }
}

fn watch_end(thread: &mut Thread) {
    let key = THREAD_KEY.load(Acquire);
    if key != 0 {
        // SAFETY: the key exists; its value is any pointer but null.
        unsafe { libc::pthread_setspecific(key - 1, (thread as *const Thread).cast()) };
    }
}

extern "C" fn on_end(_: *mut c_void) {
    let Some(thread) = Thread::current() else { return };
    thread.rounds += 1;
    if thread.rounds < ROUNDS {
        return watch_end(thread);
    }
    // A thread may end from deep below (pthread_exit), and one whose bounds are not known has none.
    let low = thread.capture.stack_low;
    end(thread);
    clear_used_stack(low != 0 && arch::stack_pointer() > low + 2 * USED_STACK_BYTES);
}

#[inline(never)]
fn end(thread: &mut Thread) {
    tenancy::end(thread);
    tenancy::give_back_all(thread);
    THREADS.leave(thread);
}

extern "C-unwind" fn keep_result(result: usize) {
    if result != 0
        && let Some(thread) = Thread::current()
    {
        THREADS.set_result(thread, result);
    }
}

fn real_of(name: &CStr) -> usize {
    crate::real::find(name)
}

exported! { wrapped "C-unwind"
    fn pthread_create(thread: *mut usize, attributes: *const c_void, routine: usize, argument: usize) -> i32 {
        on_create(thread, attributes, routine, argument)
    }
    fn pthread_detach(thread: usize) -> i32 {
        type Detach = unsafe extern "C-unwind" fn(usize) -> i32;
        // SAFETY: the symbol has this type; the argument is the program's.
        let outcome = unsafe { core::mem::transmute::<usize, Detach>(real_of(c"pthread_detach"))(thread) };
        if outcome == 0 {
            THREADS.joined(thread);
        }
        outcome
    }
    fn pthread_exit(result: usize) -> ! {
        keep_result(result);
        type Exit = unsafe extern "C-unwind" fn(usize) -> !;
        // SAFETY: the symbol has this type; the argument is the program's.
        unsafe { core::mem::transmute::<usize, Exit>(real_of(c"pthread_exit"))(result) }
    }
}

// Who waits here is looked at by the checks of others, and the runtime's frame with it.
placed! { wrapped "C-unwind"
    fn pthread_join = on_join;
}

extern "C-unwind" fn on_join(thread: usize, result: *mut usize, _: &Place) -> i32 {
    type Join = unsafe extern "C-unwind" fn(usize, *mut usize) -> i32;
    // SAFETY: the symbol has this type; the arguments are the program's.
    let outcome = unsafe { core::mem::transmute::<usize, Join>(real_of(c"pthread_join"))(thread, result) };
    if outcome == 0 {
        THREADS.joined(thread);
    }
    outcome
}
