#![expect(unsafe_code, reason = "exports the allocation functions of libc")]
//! The allocation functions as programs call them, and the names that they and all other functions of the runtime have.
//!
//! Every entry is three instructions that pass on where the return address lies and what the frame pointer is, exactly
//! as the caller left them, and then jump.
//!
//! | build | `malloc` is called | because |
//! |---|---|---|
//! | preloaded | `malloc`, and `heapcheck_preloaded_malloc` | the loader finds the first name before libc's |
//! | static | `__wrap_malloc` | the linker's `--wrap` asks for it |
//! | linked | `heapcheck_linked_malloc` | the entries of the crate `heapcheck-linked` jump to it |
//!
//! A program that has the runtime linked in defines `malloc` itself, and the loader finds a program's names before those of
//! preloaded objects. So its entries look for the second name of a preloaded runtime, and jump there when there is one: the
//! preloaded one wins, and the other never sees a call. The second name has the body once more instead of calling the
//! first: inside a shared object such a call leads to whoever is first in the process, which would be the program again.
//!
//! # Safety
//! The contracts are those of malloc(3), posix_memalign(3), malloc_usable_size(3), mallinfo(3), malloc_trim(3); the
//! bodies are safe functions, but for results that are stored through pointers which the caller promises to be valid.

use crate::blocks::{allocate, allocate_aligned, release, resize, size_of_block};
use crate::capture::Caller;
use crate::start::{self, out_of_memory};
use crate::state::{SETTINGS, is_recording};
use crate::sys::{self, libc::set_errno};
use core::sync::atomic::Ordering::Relaxed;

/// Defines C functions by the names that this build needs: `exported! { wrapped "C" fn name(..) -> T { .. } .. }`. What is
/// `wrapped` hides a function of libc; what is `own` is known by its own name in static programs as well.
macro_rules! exported {
    (wrapped $abi:literal $($functions:tt)*) => {
        $crate::exports::exported! { (concat "__wrap_") $abi $($functions)* }
    };
    (own $abi:literal $($functions:tt)*) => {
        $crate::exports::exported! { (concat "") $abi $($functions)* }
    };
    ((concat $static:literal) $abi:literal
        $(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)*
    ) => {$(
        #[cfg_attr(not(any(heapcheck_static, heapcheck_linked)), unsafe(no_mangle))]
        #[cfg_attr(heapcheck_static, unsafe(export_name = concat!($static, stringify!($name))))]
        #[cfg_attr(heapcheck_linked, unsafe(export_name = concat!("heapcheck_linked_", stringify!($name))))]
        pub(crate) unsafe extern $abi fn $name($($argument: $type),*) $(-> $result)? $body

        #[cfg(not(any(heapcheck_static, heapcheck_linked)))]
        const _: () = {
            #[unsafe(export_name = concat!("heapcheck_preloaded_", stringify!($name)))]
            unsafe extern $abi fn again($($argument: $type),*) $(-> $result)? $body
        };
    )*};
}
pub(crate) use exported;

/// Defines C functions as [`exported!`] does, whose bodies are told from where they were called:
/// `placed! { wrapped "C" fn name = body; .. }`.
macro_rules! placed {
    (wrapped $abi:literal $($functions:tt)*) => {
        $crate::exports::placed! { (concat "__wrap_") $abi $($functions)* }
    };
    (own $abi:literal $($functions:tt)*) => {
        $crate::exports::placed! { (concat "") $abi $($functions)* }
    };
    ((concat $static:literal) $abi:literal $(fn $name:ident = $body:path;)*) => {$(
        #[unsafe(naked)]
        #[cfg_attr(not(any(heapcheck_static, heapcheck_linked)), unsafe(no_mangle))]
        #[cfg_attr(heapcheck_static, unsafe(export_name = concat!($static, stringify!($name))))]
        #[cfg_attr(heapcheck_linked, unsafe(export_name = concat!("heapcheck_linked_", stringify!($name))))]
        pub(crate) unsafe extern $abi fn $name() {
            $crate::place::note_place!($body)
        }

        #[cfg(not(any(heapcheck_static, heapcheck_linked)))]
        const _: () = {
            #[unsafe(naked)]
            #[unsafe(export_name = concat!("heapcheck_preloaded_", stringify!($name)))]
            unsafe extern $abi fn again() {
                $crate::place::note_place!($body)
            }
        };
    )*};
}
pub(crate) use placed;

/// Exports `$name`, which passes its arguments, the slot of the return address and the frame pointer to `$body`. A signal may
/// interrupt it, so it says how its caller is found.
macro_rules! entry {
    ($name:ident = $body:ident, $slot:literal, $bp:literal) => {
        #[unsafe(naked)]
        #[cfg_attr(not(any(heapcheck_static, heapcheck_linked)), unsafe(no_mangle))]
        #[cfg_attr(heapcheck_static, unsafe(export_name = concat!("__wrap_", stringify!($name))))]
        #[cfg_attr(heapcheck_linked, unsafe(export_name = concat!("heapcheck_linked_", stringify!($name))))]
        pub(crate) unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                ".cfi_startproc",
                concat!("mov ", $slot, ", rsp"), concat!("mov ", $bp, ", rbp"), "jmp {}",
                ".cfi_endproc",
                sym $body,
            )
        }

        #[cfg(not(any(heapcheck_static, heapcheck_linked)))]
        const _: () = {
            #[unsafe(naked)]
            #[unsafe(export_name = concat!("heapcheck_preloaded_", stringify!($name)))]
            unsafe extern "C" fn again() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    concat!("mov ", $slot, ", rsp"), concat!("mov ", $bp, ", rbp"), "jmp {}",
                    ".cfi_endproc",
                    sym $body,
                )
            }
        };
    };
}
pub(crate) use entry;

entry!(malloc = on_malloc, "rsi", "rdx");
entry!(calloc = on_calloc, "rdx", "rcx");
entry!(realloc = on_realloc, "rdx", "rcx");
entry!(reallocarray = on_reallocarray, "rcx", "r8");
entry!(free = on_free, "rsi", "rdx");
entry!(cfree = on_free, "rsi", "rdx");
entry!(free_sized = on_free_sized, "rdx", "rcx");
entry!(free_aligned_sized = on_free_aligned_sized, "rcx", "r8");
entry!(aligned_alloc = on_memalign, "rdx", "rcx");
entry!(memalign = on_memalign, "rdx", "rcx");
entry!(posix_memalign = on_posix_memalign, "rcx", "r8");
entry!(valloc = on_valloc, "rsi", "rdx");
entry!(pvalloc = on_pvalloc, "rsi", "rdx");

extern "C" fn on_malloc(bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    allocate(bytes, Caller { slot, bp })
}

extern "C" fn on_calloc(count: usize, bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(bytes) else { return out_of_memory() };
    let block = allocate(bytes, Caller { slot, bp });
    if !blocks_are_zeros() && !block.is_null() {
        // SAFETY: the block was just given out and has this size.
        unsafe { block.write_bytes(0, bytes) };
    }
    block
}

/// Whether every new block reads as zeros: not where libc allocates, and not when it was switched off.
fn blocks_are_zeros() -> bool {
    is_recording() && SETTINGS.zero.load(Relaxed)
}

extern "C" fn on_realloc(address: usize, bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    resize(address, bytes, Caller { slot, bp })
}

extern "C" fn on_reallocarray(address: usize, count: usize, bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    match count.checked_mul(bytes) {
        Some(bytes) => resize(address, bytes, Caller { slot, bp }),
        None => out_of_memory(),
    }
}

extern "C" fn on_free(address: usize, slot: usize, bp: usize) {
    release(address, Caller { slot, bp });
}

extern "C" fn on_free_sized(address: usize, _bytes: usize, slot: usize, bp: usize) {
    release(address, Caller { slot, bp });
}

extern "C" fn on_free_aligned_sized(address: usize, _align: usize, _bytes: usize, slot: usize, bp: usize) {
    release(address, Caller { slot, bp });
}

extern "C" fn on_memalign(align: usize, bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    // glibc rounds an odd alignment up to the next power of two instead of refusing it.
    match align.checked_next_power_of_two() {
        Some(align) => allocate_aligned(bytes, align, Caller { slot, bp }),
        None => {
            set_errno(sys::EINVAL);
            core::ptr::null_mut()
        }
    }
}

extern "C" fn on_posix_memalign(out: *mut *mut u8, align: usize, bytes: usize, slot: usize, bp: usize) -> i32 {
    if !align.is_power_of_two() || align % size_of::<usize>() != 0 {
        return sys::EINVAL;
    }
    let block = allocate_aligned(bytes, align, Caller { slot, bp });
    if block.is_null() {
        return sys::ENOMEM;
    }
    // SAFETY: posix_memalign(3) requires a valid place for the result.
    unsafe { out.write(block) };
    0
}

extern "C" fn on_valloc(bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    allocate_aligned(bytes, sys::PAGE, Caller { slot, bp })
}

extern "C" fn on_pvalloc(bytes: usize, slot: usize, bp: usize) -> *mut u8 {
    match bytes.checked_next_multiple_of(sys::PAGE) {
        Some(bytes) => allocate_aligned(bytes, sys::PAGE, Caller { slot, bp }),
        None => out_of_memory(),
    }
}

/// The ten numbers of mallinfo(3), of which we tell none.
#[repr(C)]
pub(crate) struct Info<T>([T; 10]);

exported! { wrapped "C"
    fn malloc_usable_size(address: usize) -> usize {
        size_of_block(address).or_else(|| start::libc_usable_size(address)).unwrap_or(0)
    }
    fn malloc_trim(_pad: usize) -> i32 { 0 }
    fn mallopt(_parameter: i32, _value: i32) -> i32 { 1 }
    fn malloc_stats() {}
    fn mallinfo() -> Info<i32> { Info([0; 10]) }
    fn mallinfo2() -> Info<usize> { Info([0; 10]) }
}
