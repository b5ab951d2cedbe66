#![expect(unsafe_code, reason = "calls the functions of the injected runtime")]
//! The runtime's functions, when it is in the process.
//!
//! They are weak references, resolved by the loader before any code runs: a slot of the global offset table that is zero
//! when nobody defines the symbol. That is true of preloaded objects and of linked ones alike, where `dlsym` sees only
//! the first kind, and an environment variable proves neither.
//!
//! # Safety
//! The symbols are those of `include/heapcheck.h` and of `contract`: whoever defines them keeps that contract.

use crate::contract::{ANSWERED, Question, Sums};

/// Defines functions that find a symbol of the runtime, typed.
macro_rules! weak {
    ($(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {$(
        fn $name() -> Option<unsafe extern "C" fn($($argument),*) $(-> $result)?> {
            #[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64", not(miri)))]
            {
                let address: usize;
                // SAFETY: loads a slot of the global offset table, which is zero when the symbol is defined nowhere.
                unsafe {
                    core::arch::asm!(
                        concat!(".weak ", stringify!($name)),
                        concat!("mov {0}, qword ptr [rip + ", stringify!($name), "@GOTPCREL]"),
                        out(reg) address, options(readonly, nostack, preserves_flags),
                    );
                }
                // SAFETY: zero is `None`; anything else is a function of this type (see the head of this file).
                unsafe { core::mem::transmute::<usize, Option<unsafe extern "C" fn($($argument),*) $(-> $result)?>>(address) }
            }
            #[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64", not(miri))))]
            None
        }
    )*};
}

weak! {
    fn heapcheck_is_active() -> i32;
    fn heapcheck_mode() -> u32;
    fn heapcheck_scope_open(*const u8, usize, u32) -> u32;
    fn heapcheck_scope_enter(u32) -> u32;
    fn heapcheck_scope_end(u32);
    fn heapcheck_scope_current() -> u32;
    fn heapcheck_scope_sums(u32, *mut Sums) -> i32;
    fn heapcheck_scope_judge(u32, *mut Question) -> i32;
    fn heapcheck_scope_baseline(u32) -> i32;
    fn heapcheck_scope_growth(u32, *mut Question) -> i32;
    fn heapcheck_note_failure(*const u8, usize);
    fn heapcheck_disable();
    fn heapcheck_enable();
    fn heapcheck_ignore_value(usize, usize);
    fn heapcheck_root_region_add(usize, usize);
    fn heapcheck_root_region_remove(usize, usize);
    fn heapcheck_check_now() -> i64;
}

/// Calls a function of the runtime; `otherwise` when it is not there.
macro_rules! call {
    ($name:ident($($argument:expr),*) otherwise $otherwise:expr) => {
        match $name() {
            // SAFETY: see the head of this file; what is pointed to outlives the call.
            Some(function) => unsafe { function($($argument),*) },
            None => $otherwise,
        }
    };
}

/// Whether this process is being checked.
pub(crate) fn is_active() -> bool {
    call!(heapcheck_is_active() otherwise 0) != 0
}

/// Whether a runtime is in this process that has no scopes as this facade knows them.
pub(crate) fn is_too_old() -> bool {
    is_active() && heapcheck_scope_judge().is_none()
}

/// Whether a runtime is in this process, and was told to do nothing.
pub(crate) fn is_switched_off() -> bool {
    heapcheck_is_active().is_some() && !is_active()
}

/// The number of the mode that the process is checked in.
pub(crate) fn mode() -> u32 {
    call!(heapcheck_mode() otherwise 0)
}

/// Opens a scope below that of this thread. 0: nothing is checked.
pub(crate) fn open(name: &str, flags: u32) -> u32 {
    if !is_active() {
        return 0;
    }
    call!(heapcheck_scope_open(name.as_ptr(), name.len(), flags) otherwise 0)
}

/// Puts this thread into a scope, and answers the one that it was in.
pub(crate) fn enter(scope: u32) -> u32 {
    call!(heapcheck_scope_enter(scope) otherwise 0)
}

/// Ends a scope.
pub(crate) fn end(scope: u32) {
    call!(heapcheck_scope_end(scope) otherwise ());
}

/// The scope that this thread is in.
#[inline]
pub(crate) fn current() -> u32 {
    call!(heapcheck_scope_current() otherwise 0)
}

/// The sums of a scope.
pub(crate) fn sums(scope: u32) -> Option<Sums> {
    let mut sums = Sums { size: size_of::<Sums>() as u64, ..Sums::default() };
    (call!(heapcheck_scope_sums(scope, &raw mut sums) otherwise -1) == ANSWERED).then_some(sums)
}

/// Has a scope checked; false when that was not possible.
pub(crate) fn judge(scope: u32, question: &mut Question) -> bool {
    call!(heapcheck_scope_judge(scope, &raw mut *question) otherwise -1) == ANSWERED
}

/// Overwrites the part of the stack that a check is about to use, down from the caller's frame, and registers that a callee
/// keeps: what code that has returned left there would otherwise be taken for pointers. So it is called by the outermost
/// function of ours that leads to a check, and becomes a part of that one: a frame of its own would lie on such words.
#[inline(always)]
pub(crate) fn clear_stack_below() {
    const BYTES: usize = 16 << 10;
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: nothing lies below the stack pointer that is in use, and without `nostack` no red zone does. The registers
    // are told to be changed, so what is still needed of them is kept elsewhere (only rbx can't be named here).
    unsafe {
        core::arch::asm!(
            "lea rdi, [rsp - {bytes}]", "mov ecx, {bytes} / 8", "xor eax, eax", "rep stosq",
            "xor r12d, r12d", "xor r13d, r13d", "xor r14d, r14d", "xor r15d, r15d",
            bytes = const BYTES, out("rax") _, out("rcx") _, out("rdi") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    core::hint::black_box(&mut [0u8; BYTES]);
}

/// Remembers what is alive in a scope.
#[inline]
pub(crate) fn set_baseline(scope: u32) -> bool {
    call!(heapcheck_scope_baseline(scope) otherwise -1) == ANSWERED
}

/// Has the sites told that have grown since then.
#[inline]
pub(crate) fn tell_growth(scope: u32, question: &mut Question) -> bool {
    call!(heapcheck_scope_growth(scope, &raw mut *question) otherwise -1) == ANSWERED
}

/// Notes which test fails, and why: one line, read by the tool.
pub(crate) fn note_failure(test: &str, why: &str) {
    let mut end = 0;
    while end < why.len() && why.as_bytes()[end] != b'\n' {
        end += 1;
    }
    let why = format!("{test}: {}", &why[..end]);
    call!(heapcheck_note_failure(why.as_ptr(), why.len()) otherwise ());
}

/// From here on nothing that this thread allocates is a leak.
#[inline]
pub(crate) fn disable() {
    call!(heapcheck_disable() otherwise ());
}

/// Runs `body`, and nothing of what it allocates belongs to a scope or is a leak.
#[cfg(feature = "standalone")]
pub(crate) fn aside<R>(body: impl FnOnce() -> R) -> R {
    let before = enter(0);
    disable();
    let result = body();
    enable();
    enter(before);
    result
}

/// Undoes one `disable`.
#[inline]
pub(crate) fn enable() {
    call!(heapcheck_enable() otherwise ());
}

/// Ignores the block around a value, or the blocks that the value points to.
#[inline]
pub(crate) fn ignore(address: usize, bytes: usize) {
    call!(heapcheck_ignore_value(address, bytes) otherwise ());
}

/// Adds a root region.
#[inline]
pub(crate) fn add_region(address: usize, bytes: usize) {
    call!(heapcheck_root_region_add(address, bytes) otherwise ());
}

/// Takes it back.
#[inline]
pub(crate) fn remove_region(address: usize, bytes: usize) {
    call!(heapcheck_root_region_remove(address, bytes) otherwise ());
}

/// Checks the process: the leaked bytes, or a negative number when that was not possible.
#[inline]
pub(crate) fn check_now() -> i64 {
    if !is_active() {
        return 0;
    }
    call!(heapcheck_check_now() otherwise 0)
}
