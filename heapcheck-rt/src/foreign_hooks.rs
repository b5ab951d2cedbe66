#![expect(unsafe_code, reason = "C functions that take and give out raw memory")]
//! What stands in for the functions of other allocators: thin C functions over the runtime's own hooks.
//!
//! Each one is entered by the jump that [`crate::patch`] wrote, so it finds the registers as the caller left them. Its
//! naked entry hands `rbp` and `rsp` on behind the arguments, because the stack of an allocation begins with the caller's
//! registers; `rsp` points at the return address. Behind the entry a function of the same name does the work.
//!
//! The argument for every `unsafe` here: the caller keeps the contract of the function that it thinks it calls, and each
//! stand-in asks for no more than that function does. A size is checked for overflow, an alignment for being a power of
//! two. A block may have been given out before the jump was written, or inside the other allocator: it is a stranger,
//! which is never touched but told to [`hooks::meet_stranger`].
//!
//! A size of zero gives a block of its own, as all these allocators do, also in `realloc`.

use crate::foreign::Hook;
use crate::hooks;
use core::ptr::{copy_nonoverlapping, null_mut, write_bytes};

type Block = *mut u8;

const PAGE_BYTES: usize = 4096;
const MIN_ALIGN: usize = 16;
const EINVAL: i32 = 22;
const ENOMEM: i32 = 12;
/// jemalloc's `MALLOCX_ZERO`; the low six bits are the logarithm of the alignment.
const MALLOCX_ZERO: i32 = 0x40;
const MALLOCX_LG_ALIGN_MASK: i32 = 0x3f;

/// Who called: what a walk of the stack begins with.
#[derive(Clone, Copy)]
struct Caller {
    pc: usize,
    sp: usize,
    bp: usize,
}

impl Caller {
    /// # Safety
    ///
    /// `sp` points at a return address, as it does on entry of a function.
    unsafe fn at(bp: usize, sp: *const usize) -> Caller {
        // SAFETY: the caller's promise.
        Caller { pc: unsafe { sp.read() }, sp: sp as usize + size_of::<usize>(), bp }
    }

    fn allocate(self, size: usize, align: usize, zeroed: bool) -> Block {
        if !align.is_power_of_two() {
            return null_mut();
        }
        // SAFETY: the alignment is a power of two, and `self` is the caller's frame.
        unsafe { hooks::allocate(size, align.max(MIN_ALIGN), zeroed, self.pc, self.sp, self.bp) }
    }

    fn allocate_array(self, count: usize, size: usize, align: usize, zeroed: bool) -> Block {
        count.checked_mul(size).map_or(null_mut(), |size| self.allocate(size, align, zeroed))
    }

    /// # Safety
    ///
    /// `block` is null or may be freed.
    unsafe fn release(self, block: Block) {
        if block.is_null() {
        } else if hooks::owns(block) {
            // SAFETY: the caller's promise.
            unsafe { hooks::release(block, self.pc, self.sp, self.bp) }
        } else {
            hooks::meet_stranger(block, self.pc);
        }
    }

    /// # Safety
    ///
    /// `block` is null or may be freed. `old_size` is what a stranger holds, if it is known.
    unsafe fn resize(self, block: Block, size: usize, align: usize, old_size: Option<usize>) -> Block {
        if block.is_null() {
            return self.allocate(size, align, false);
        }
        if !align.is_power_of_two() {
            return null_mut();
        }
        if hooks::owns(block) {
            // SAFETY: the caller's promise; the alignment is a power of two.
            return unsafe { hooks::resize(block, size, align.max(MIN_ALIGN), self.pc, self.sp, self.bp) };
        }
        hooks::meet_stranger(block, self.pc);
        let Some(old_size) = old_size else { return null_mut() };
        let fresh = self.allocate(size, align, false);
        if !fresh.is_null() {
            // SAFETY: both hold the smaller of the two sizes, and the fresh one overlaps nothing.
            unsafe { copy_nonoverlapping(block, fresh, old_size.min(size)) };
        }
        fresh
    }

    /// # Safety
    ///
    /// As [`Caller::resize`].
    unsafe fn resize_zeroed(self, block: Block, size: usize) -> Block {
        if block.is_null() {
            return self.allocate(size, MIN_ALIGN, true);
        }
        let old_size = hooks::size_of(block);
        // SAFETY: the caller's promise.
        let block = unsafe { self.resize(block, size, MIN_ALIGN, None) };
        if !block.is_null() && size > old_size {
            // SAFETY: the block holds `size` bytes.
            unsafe { write_bytes(block.add(old_size), 0, size - old_size) };
        }
        block
    }
}

/// Ends the program where the original would throw or abort.
fn or_abort(block: Block) -> Block {
    if block.is_null() {
        hooks::die_out_of_memory();
    }
    block
}

/// Writes the naked entry of a stand-in: it puts `rbp` and `rsp` into the two registers behind the arguments.
macro_rules! stand_in {
    ($name:ident, $bp:literal, $sp:literal, |$($arg:ident: $kind:ty),*; $caller:ident| -> $answer:ty $work:block) => {
        mod $name {
            use super::*;

            #[cfg(target_arch = "x86_64")]
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn entry() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    concat!("mov ", $bp, ", rbp"),
                    concat!("mov ", $sp, ", rsp"),
                    "jmp {}",
                    ".cfi_endproc",
                    sym work
                )
            }

            #[allow(unused_unsafe, reason = "some need no unsafe step beyond the first")]
            unsafe extern "C" fn work($($arg: $kind,)* bp: usize, sp: *const usize) -> $answer {
                // SAFETY: the entry passes the stack pointer as the caller left it.
                let $caller = unsafe { Caller::at(bp, sp) };
                // SAFETY: the head of this file: the caller keeps the contract of the function it called.
                unsafe { $work }
            }
        }
    };
}

stand_in!(alloc, "rsi", "rdx", |size: usize; caller| -> Block { caller.allocate(size, MIN_ALIGN, false) });
stand_in!(alloc_zeroed, "rsi", "rdx", |size: usize; caller| -> Block { caller.allocate(size, MIN_ALIGN, true) });
stand_in!(calloc, "rdx", "rcx", |count: usize, size: usize; caller| -> Block {
    caller.allocate_array(count, size, MIN_ALIGN, true)
});
stand_in!(alloc_array, "rdx", "rcx", |count: usize, size: usize; caller| -> Block {
    caller.allocate_array(count, size, MIN_ALIGN, false)
});
stand_in!(alloc_aligned, "rdx", "rcx", |size: usize, align: usize; caller| -> Block {
    caller.allocate(size, align, false)
});
stand_in!(alloc_aligned_zeroed, "rdx", "rcx", |size: usize, align: usize; caller| -> Block {
    caller.allocate(size, align, true)
});
stand_in!(calloc_aligned, "rcx", "r8", |count: usize, size: usize, align: usize; caller| -> Block {
    caller.allocate_array(count, size, align, true)
});
stand_in!(memalign, "rdx", "rcx", |align: usize, size: usize; caller| -> Block {
    caller.allocate(size, align, false)
});
stand_in!(memalign_zeroed, "rdx", "rcx", |align: usize, size: usize; caller| -> Block {
    caller.allocate(size, align, true)
});
stand_in!(posix_memalign, "rcx", "r8", |place: *mut Block, align: usize, size: usize; caller| -> i32 {
    if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
        return EINVAL;
    }
    let block = caller.allocate(size, align, false);
    if block.is_null() {
        return ENOMEM;
    }
    place.write(block);
    0
});
stand_in!(valloc, "rsi", "rdx", |size: usize; caller| -> Block { caller.allocate(size, PAGE_BYTES, false) });
stand_in!(pvalloc, "rsi", "rdx", |size: usize; caller| -> Block {
    let size = size.checked_next_multiple_of(PAGE_BYTES);
    size.map_or(null_mut(), |size| caller.allocate(size, PAGE_BYTES, false))
});
stand_in!(new, "rsi", "rdx", |size: usize; caller| -> Block { or_abort(caller.allocate(size, MIN_ALIGN, false)) });
stand_in!(new_aligned, "rdx", "rcx", |size: usize, align: usize; caller| -> Block {
    or_abort(caller.allocate(size, align, false))
});
stand_in!(mallocx, "rdx", "rcx", |size: usize, flags: i32; caller| -> Block {
    caller.allocate(size, align_of_flags(flags), flags & MALLOCX_ZERO != 0)
});
stand_in!(rallocx, "rcx", "r8", |block: Block, size: usize, flags: i32; caller| -> Block {
    if flags & MALLOCX_ZERO != 0 && align_of_flags(flags) <= MIN_ALIGN {
        return caller.resize_zeroed(block, size);
    }
    let old_size = if block.is_null() { 0 } else { hooks::size_of(block) };
    let block = caller.resize(block, size, align_of_flags(flags), None);
    if flags & MALLOCX_ZERO != 0 && !block.is_null() && size > old_size {
        write_bytes(block.add(old_size), 0, size - old_size);
    }
    block
});
stand_in!(realloc, "rdx", "rcx", |block: Block, size: usize; caller| -> Block {
    caller.resize(block, size, MIN_ALIGN, None)
});
stand_in!(reallocf, "rdx", "rcx", |block: Block, size: usize; caller| -> Block {
    let moved = caller.resize(block, size, MIN_ALIGN, None);
    if moved.is_null() {
        caller.release(block);
    }
    moved
});
stand_in!(realloc_array, "rcx", "r8", |block: Block, count: usize, size: usize; caller| -> Block {
    match count.checked_mul(size) {
        Some(size) => caller.resize(block, size, MIN_ALIGN, None),
        None => null_mut(),
    }
});
stand_in!(realloc_aligned, "rcx", "r8", |block: Block, size: usize, align: usize; caller| -> Block {
    caller.resize(block, size, align, None)
});
stand_in!(rezalloc, "rdx", "rcx", |block: Block, size: usize; caller| -> Block { caller.resize_zeroed(block, size) });
stand_in!(recalloc, "rcx", "r8", |block: Block, count: usize, size: usize; caller| -> Block {
    match count.checked_mul(size) {
        Some(size) => caller.resize_zeroed(block, size),
        None => null_mut(),
    }
});
stand_in!(rust_realloc, "r8", "r9", |block: Block, old: usize, align: usize, size: usize; caller| -> Block {
    caller.resize(block, size, align, Some(old))
});
stand_in!(sn_realloc, "r8", "r9", |block: Block, align: usize, old: usize, size: usize; caller| -> Block {
    caller.resize(block, size, align, Some(old))
});
stand_in!(free, "rsi", "rdx", |block: Block; caller| -> () { caller.release(block) });
stand_in!(usable_size, "rsi", "rdx", |block: Block; _caller| -> usize {
    if block.is_null() { 0 } else { hooks::size_of(block) }
});
stand_in!(expand, "rdx", "rcx", |block: Block, size: usize; _caller| -> Block {
    if !block.is_null() && size <= hooks::size_of(block) { block } else { null_mut() }
});
stand_in!(strdup, "rsi", "rdx", |string: *const u8; caller| -> Block { duplicate(string, usize::MAX, caller) });
stand_in!(strndup, "rdx", "rcx", |string: *const u8, most: usize; caller| -> Block {
    duplicate(string, most, caller)
});

fn align_of_flags(flags: i32) -> usize {
    1_usize.checked_shl((flags & MALLOCX_LG_ALIGN_MASK).unsigned_abs()).unwrap_or(0)
}

/// # Safety
///
/// `string` is null or readable up to a zero byte or for `most` bytes.
unsafe fn duplicate(string: *const u8, most: usize, caller: Caller) -> Block {
    if string.is_null() {
        return null_mut();
    }
    let mut len = 0;
    // SAFETY: the caller's promise.
    while len < most && unsafe { string.add(len).read() } != 0 {
        len += 1;
    }
    let copy = caller.allocate(len + 1, MIN_ALIGN, false);
    if !copy.is_null() {
        // SAFETY: the copy holds `len + 1` bytes and overlaps nothing.
        unsafe { copy_nonoverlapping(string, copy, len) };
        // SAFETY: as above.
        unsafe { copy.add(len).write(0) };
    }
    copy
}

/// The address of what stands in for `hook`.
pub(crate) fn entry_of(hook: Hook) -> usize {
    let entry: unsafe extern "C" fn() = match hook {
        Hook::Alloc => alloc::entry,
        Hook::AllocZeroed => alloc_zeroed::entry,
        Hook::Calloc => calloc::entry,
        Hook::AllocArray => alloc_array::entry,
        Hook::AllocAligned => alloc_aligned::entry,
        Hook::AllocAlignedZeroed => alloc_aligned_zeroed::entry,
        Hook::CallocAligned => calloc_aligned::entry,
        Hook::Memalign => memalign::entry,
        Hook::MemalignZeroed => memalign_zeroed::entry,
        Hook::PosixMemalign => posix_memalign::entry,
        Hook::Valloc => valloc::entry,
        Hook::Pvalloc => pvalloc::entry,
        Hook::New => new::entry,
        Hook::NewAligned => new_aligned::entry,
        Hook::Mallocx => mallocx::entry,
        Hook::Rallocx => rallocx::entry,
        Hook::Realloc => realloc::entry,
        Hook::Reallocf => reallocf::entry,
        Hook::ReallocArray => realloc_array::entry,
        Hook::ReallocAligned => realloc_aligned::entry,
        Hook::Rezalloc => rezalloc::entry,
        Hook::Recalloc => recalloc::entry,
        Hook::RustRealloc => rust_realloc::entry,
        Hook::SnRealloc => sn_realloc::entry,
        Hook::Free => free::entry,
        Hook::UsableSize => usable_size::entry,
        Hook::Expand => expand::entry,
        Hook::Strdup => strdup::entry,
        Hook::Strndup => strndup::entry,
    };
    entry as usize
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// Calls a stand-in with up to four words, as the program would.
    fn call(hook: Hook, args: [usize; 4]) -> usize {
        // SAFETY: an entry reads at most four words and answers one at most.
        let entry: unsafe extern "C" fn(usize, usize, usize, usize) -> usize =
            unsafe { core::mem::transmute(entry_of(hook)) };
        // SAFETY: the tests pass what the hook takes.
        unsafe { entry(args[0], args[1], args[2], args[3]) }
    }

    fn check(hook: Hook, args: [usize; 4], size: usize, align: usize) -> usize {
        let block = call(hook, args);
        assert_ne!(block, 0, "{hook:?}");
        assert_eq!(call(Hook::UsableSize, [block, 0, 0, 0]), size, "{hook:?}");
        assert!(block.is_multiple_of(align), "{hook:?}");
        block
    }

    fn free(block: usize) {
        call(Hook::Free, [block, 7, 7, 7]);
        assert_eq!(call(Hook::UsableSize, [block, 0, 0, 0]), 0);
    }

    #[test]
    fn every_allocating_stand_in_reads_its_arguments_in_order() {
        free(check(Hook::Alloc, [100, 7, 7, 7], 100, 16));
        free(check(Hook::AllocZeroed, [100, 7, 7, 7], 100, 16));
        free(check(Hook::Calloc, [3, 100, 7, 7], 300, 16));
        free(check(Hook::AllocArray, [3, 100, 7, 7], 300, 16));
        free(check(Hook::AllocAligned, [100, 64, 7, 7], 100, 64));
        free(check(Hook::AllocAlignedZeroed, [100, 1, 7, 7], 100, 16));
        free(check(Hook::CallocAligned, [3, 100, 128, 7], 300, 128));
        free(check(Hook::Memalign, [64, 100, 7, 7], 100, 64));
        free(check(Hook::MemalignZeroed, [64, 100, 7, 7], 100, 64));
        free(check(Hook::Valloc, [100, 7, 7, 7], 100, 4096));
        free(check(Hook::Pvalloc, [100, 7, 7, 7], 4096, 4096));
        free(check(Hook::New, [0, 7, 7, 7], 0, 1));
        free(check(Hook::NewAligned, [100, 64, 7, 7], 100, 64));
        free(check(Hook::Mallocx, [100, 6 | 0x40, 7, 7], 100, 64));
        free(check(Hook::Mallocx, [100, 0, 7, 7], 100, 16));
        let text = c"heapcheck".as_ptr() as usize;
        free(check(Hook::Strdup, [text, 7, 7, 7], 10, 1));
        free(check(Hook::Strndup, [text, 4, 7, 7], 5, 1));
    }

    #[test]
    fn every_resizing_stand_in_reads_its_arguments_in_order() {
        let resize = |hook, args: fn(usize) -> [usize; 4], align| {
            let block = check(Hook::Alloc, [8, 0, 0, 0], 8, 16);
            // SAFETY: the block holds eight bytes.
            unsafe { (block as *mut u64).write(0x1122_3344_5566_7788) };
            let moved = check(hook, args(block), 300, align);
            // SAFETY: the block holds 300 bytes.
            assert_eq!(unsafe { (moved as *const u64).read() }, 0x1122_3344_5566_7788, "{hook:?}");
            free(moved);
        };
        resize(Hook::Realloc, |block| [block, 300, 7, 7], 16);
        resize(Hook::Reallocf, |block| [block, 300, 7, 7], 16);
        resize(Hook::ReallocArray, |block| [block, 3, 100, 7], 16);
        resize(Hook::ReallocAligned, |block| [block, 300, 64, 7], 64);
        resize(Hook::Rezalloc, |block| [block, 300, 7, 7], 16);
        resize(Hook::Recalloc, |block| [block, 3, 100, 7], 16);
        resize(Hook::Rallocx, |block| [block, 300, 6, 7], 64);
        resize(Hook::Rallocx, |block| [block, 300, 0x40, 7], 16);
        resize(Hook::RustRealloc, |block| [block, 8, 64, 300], 64);
        resize(Hook::SnRealloc, |block| [block, 64, 8, 300], 64);
        free(check(Hook::Realloc, [0, 300, 7, 7], 300, 16));
    }

    #[test]
    fn impossible_requests_are_answered_with_null() {
        assert_eq!(call(Hook::Calloc, [usize::MAX, 2, 0, 0]), 0);
        assert_eq!(call(Hook::AllocAligned, [8, 3, 0, 0]), 0);
        assert_eq!(call(Hook::AllocAligned, [8, 0, 0, 0]), 0);
        assert_eq!(call(Hook::Pvalloc, [usize::MAX, 0, 0, 0]), 0);
        let mut place = 0_usize;
        let at = &raw mut place as usize;
        assert_eq!(call(Hook::PosixMemalign, [at, 4, 8, 0]) as u32, EINVAL as u32);
        assert_eq!(call(Hook::PosixMemalign, [at, 32, 8, 0]) as u32, 0);
        free(place);
    }

    #[test]
    fn a_stranger_is_left_alone_and_copied_only_where_its_size_is_known() {
        let stranger = [5_u8; 32];
        let at = stranger.as_ptr() as usize;
        call(Hook::Free, [at, 0, 0, 0]);
        assert_eq!(call(Hook::Realloc, [at, 64, 0, 0]), 0);
        let copy = check(Hook::RustRealloc, [at, 32, 8, 64], 64, 16);
        // SAFETY: the block holds 64 bytes.
        assert_eq!(unsafe { (copy as *const [u8; 32]).read() }, stranger);
        free(copy);
        call(Hook::Free, [0, 0, 0, 0]);
    }
}
