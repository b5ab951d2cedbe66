#![expect(unsafe_code, reason = "stands in front of pthread_create and its relatives")]
//! Threads from their creation to their end.
//!
//! `pthread_create` starts a trampoline, which gives the thread its record, its stack bounds and its creator's scope
//! before the program's function runs. The end is seen by a thread-specific key, whose destructor asks to be called
//! again until the last round, so that it comes after all others. What a thread returned is kept until it is joined.
//!
//! # Safety
//! The real functions are called with the arguments that the program gave them.

use crate::start;
use crate::starts::{self, Start};
use crate::state::{SCOPES, STORE, THREADS, THREAD_KEY};
use crate::sys::{self, libc};
use crate::tenancy;
use crate::thread::Thread;
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
    // SAFETY: the trampoline takes the record.
    let outcome = unsafe { create(thread, attributes, trampoline, start as *const Start as usize) };
    if outcome != 0 {
        tenancy::cancel_start(scope, turn);
        starts::give_back(start);
    }
    outcome
}

/// The first function of every thread.
extern "C-unwind" fn trampoline(record: usize) -> usize {
    // SAFETY: `on_create` passed a record that is ours until it is given back.
    let start = unsafe { &*(record as *const Start) };
    let function = start.function.load(Acquire);
    let argument = start.argument.load(Relaxed);
    if let Some(thread) = start::attach() {
        find_bounds(thread);
        watch_end(thread);
        tenancy::begin(thread, start);
    }
    starts::give_back(start);
    // SAFETY: the program gave this function for exactly this.
    let result = unsafe { core::mem::transmute::<usize, Routine>(function) }(argument);
    keep_result(result);
    result
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
    tenancy::end(thread);
    clear_stack_below(thread);
    STORE.empty(&mut thread.cache);
    THREADS.leave(thread);
}

/// Overwrites what the thread has left on its stack, when there are scopes: libc gives the stack to the next thread,
/// whose frames have gaps, and a word in a gap would keep alive what this thread has lost. What lies deeper libc gives back
/// to the kernel itself (glibc, `advise_stack_range`).
#[inline(never)]
fn clear_stack_below(thread: &Thread) {
    const BYTES: usize = 24 << 10;
    #[inline(never)]
    fn clear() {
        let mut below = [0u8; BYTES];
        core::hint::black_box(&mut below);
    }
    let low = thread.capture.stack_low;
    if low != 0 && SCOPES.count() > 1 && crate::arch::stack_pointer() > low + BYTES + 4096 {
        clear();
    }
}

fn keep_result(result: usize) {
    if result != 0
        && let Some(thread) = Thread::current()
    {
        THREADS.set_result(thread, result);
    }
}

fn real_of(name: &CStr) -> usize {
    crate::real::find(name)
}

macro_rules! exported {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)*) => {$(
        #[cfg_attr(not(heapcheck_static), unsafe(no_mangle))]
        #[cfg_attr(heapcheck_static, unsafe(export_name = concat!("__wrap_", stringify!($name))))]
        pub(crate) unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? $body
    )*};
}

exported! {
    fn pthread_create(thread: *mut usize, attributes: *const c_void, routine: usize, argument: usize) -> i32 {
        on_create(thread, attributes, routine, argument)
    }
    fn pthread_join(thread: usize, result: *mut usize) -> i32 {
        type Join = unsafe extern "C-unwind" fn(usize, *mut usize) -> i32;
        // SAFETY: the symbol has this type; the arguments are the program's.
        let outcome = unsafe { core::mem::transmute::<usize, Join>(real_of(c"pthread_join"))(thread, result) };
        if outcome == 0 {
            THREADS.joined(thread);
        }
        outcome
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
