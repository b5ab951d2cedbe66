#![expect(unsafe_code, reason = "instructions that Rust has no words for")]
//! What only assembly can say on x86-64: system calls, the thread pointer, our one word of thread-local storage.
//!
//! The thread-local word is *initial exec*: two loads and no call, which `thread_local!` in a shared object cannot
//! give on stable Rust. Its symbol lives in `.tbss`; ld.so (or the static linker) gives it a constant offset from
//! `fs`. It has no destructor, so it stays valid until the thread's last instruction.
//!
//! # Safety
//! A system call is as safe as what it does: the callers in `sys` argue for each. Reads of `fs` are plain loads from
//! the thread control block, which exists before any code of ours runs.

use core::arch::{asm, global_asm, naked_asm};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Performs a system call and returns what the kernel put in `rax`.
///
/// # Safety
/// The call, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel keeps every register but rax, rcx and r11 (Linux x86-64 ABI, syscall(2)).
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

global_asm!(
    ".section .tbss,\"awT\",@nobits",
    ".globl heapcheck_tls",
    ".hidden heapcheck_tls",
    ".type heapcheck_tls,@object",
    ".size heapcheck_tls,8",
    ".balign 8",
    "heapcheck_tls: .zero 8",
    ".text",
);

/// Reads this thread's word.
#[inline(always)]
pub(crate) fn tls_word() -> usize {
    let word: usize;
    // SAFETY: loads our own thread-local symbol.
    unsafe {
        asm!("mov {0}, qword ptr [rip + heapcheck_tls@gottpoff]", "mov {0}, qword ptr fs:[{0}]", out(reg) word,
            options(readonly, nostack, preserves_flags));
    }
    word
}

/// Writes this thread's word.
#[inline(always)]
pub(crate) fn set_tls_word(word: usize) {
    // SAFETY: stores to our own thread-local symbol.
    unsafe {
        asm!("mov {1}, qword ptr [rip + heapcheck_tls@gottpoff]", "mov qword ptr fs:[{1}], {0}", in(reg) word,
            out(reg) _, options(nostack, preserves_flags));
    }
}

/// The distance of our thread-local word from the thread pointer: the same in every thread.
pub(crate) fn tls_offset() -> isize {
    let offset: isize;
    // SAFETY: loads a constant that the linker made.
    unsafe {
        asm!("mov {0}, qword ptr [rip + heapcheck_tls@gottpoff]", out(reg) offset,
            options(readonly, nostack, preserves_flags));
    }
    offset
}

/// The thread pointer: the address of the thread control block, whose first word points at itself.
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the psABI (x86-64 TLS, variant II) puts the block's own address at fs:0.
    unsafe {
        asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(readonly, nostack, preserves_flags))
    };
    pointer
}

/// The stack pointer here.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The frame pointer here; the caller's own frame when the runtime is built with frame pointers.
#[inline(always)]
pub(crate) fn frame_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// An address in the code here.
#[inline(always)]
pub(crate) fn program_counter() -> usize {
    let pointer: usize;
    // SAFETY: computes an address.
    unsafe { asm!("lea {}, [rip]", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Stores the registers that a callee keeps (rbx rbp r12 r13 r14 r15), where pointers of the caller may be.
#[inline(never)]
pub(crate) fn callee_saved() -> [usize; 6] {
    let mut saved = [0usize; 6];
    // SAFETY: writes six words into the array.
    unsafe {
        asm!("mov [{0}], rbx", "mov [{0} + 8], rbp", "mov [{0} + 16], r12", "mov [{0} + 24], r13",
            "mov [{0} + 32], r14", "mov [{0} + 40], r15", in(reg) saved.as_mut_ptr(), options(nostack, preserves_flags));
    }
    saved
}

/// Asks for the cache line at `address`.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    // SAFETY: a prefetch never faults.
    unsafe { core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address as *const i8) };
}

/// Two words in memory, side by side, as they were once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Pair {
    pub(crate) words: [usize; 2],
    pub(crate) address: usize,
    /// All ones when the first word matters.
    pub(crate) mask: usize,
}

/// Whether any pair differs from what it was. The addresses are those of stack slots that the caller vouches for.
#[inline(always)]
pub(crate) fn any_differs(pairs: &[Pair]) -> bool {
    use core::arch::x86_64::{
        __m128i, _mm_load_si128, _mm_loadu_si128, _mm_or_si128, _mm_setzero_si128, _mm_xor_si128,
    };
    // SAFETY: SSE2 is part of x86-64; the words are aligned, and the slots readable.
    unsafe {
        let difference = |pair: &Pair| {
            let now = _mm_loadu_si128(pair.address as *const __m128i);
            _mm_xor_si128(now, _mm_load_si128(pair.words.as_ptr().cast()))
        };
        let mut all = _mm_setzero_si128();
        // Four at a time, and the last four once more: fewer rounds, and as many for nearly every depth, so that the
        // processor guesses the end right.
        let fours = if pairs.len() < 4 { &[] } else { &pairs[pairs.len() - 4..] };
        if fours.is_empty() {
            for pair in pairs {
                all = _mm_or_si128(all, difference(pair));
            }
        }
        for four in pairs.chunks_exact(4).chain(fours.chunks_exact(4)) {
            let left = _mm_or_si128(difference(&four[0]), difference(&four[1]));
            let right = _mm_or_si128(difference(&four[2]), difference(&four[3]));
            all = _mm_or_si128(all, _mm_or_si128(left, right));
        }
        is_not_zero(all)
    }
}

/// The same, where the first word of a pair may not matter.
#[inline(always)]
pub(crate) fn any_masked_differs(pairs: &[Pair]) -> bool {
    use core::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_load_si128, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x,
        _mm_setzero_si128, _mm_xor_si128,
    };
    // SAFETY: as in `any_differs`.
    unsafe {
        let mut all = _mm_setzero_si128();
        for pair in pairs {
            let now = _mm_loadu_si128(pair.address as *const __m128i);
            let differs = _mm_xor_si128(now, _mm_load_si128(pair.words.as_ptr().cast()));
            all = _mm_or_si128(all, _mm_and_si128(differs, _mm_set_epi64x(-1, pair.mask as i64)));
        }
        is_not_zero(all)
    }
}

#[inline(always)]
fn is_not_zero(value: core::arch::x86_64::__m128i) -> bool {
    use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_setzero_si128};
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(value, _mm_setzero_si128())) != 0xffff }
}

/// Clears sixteen aligned bytes. Volatile, so that a loop of these stays a loop: as a call to `memset` it would cost
/// more than the rest of a small allocation.
///
/// # Safety
/// The caller owns the bytes.
#[inline(always)]
pub(crate) unsafe fn clear_16(address: usize) {
    use core::arch::x86_64::{__m128i, _mm_setzero_si128};
    // SAFETY: as the caller promises; SSE2 is part of x86-64.
    unsafe { (address as *mut __m128i).write_volatile(_mm_setzero_si128()) };
}

/// Copies sixteen aligned bytes. Volatile, so that a loop of these stays a loop: libc's `memmove` leaves what it copied in vector
/// registers that nothing else uses (zmm16 and up), and an address that stays there keeps its block alive.
///
/// # Safety
/// The caller owns the bytes.
#[inline(always)]
pub(crate) unsafe fn copy_16(from: usize, to: usize) {
    use core::arch::x86_64::__m128i;
    // SAFETY: as the caller promises; SSE2 is part of x86-64.
    unsafe { (to as *mut __m128i).write_volatile((from as *const __m128i).read()) };
}

/// Writes two words with one instruction: a signal handler finds both as they were, or as they will be.
///
/// # Safety
/// The caller owns both words.
#[inline(always)]
pub(crate) unsafe fn write_both(to: *mut usize, words: [usize; 2]) {
    // SAFETY: as the caller promises; SSE2 is part of x86-64.
    unsafe {
        asm!(
            "movq {both}, {first}",
            "movq {high}, {second}",
            "punpcklqdq {both}, {high}",
            "movups [{to}], {both}",
            to = in(reg) to,
            first = in(reg) words[0],
            second = in(reg) words[1],
            both = out(xmm_reg) _,
            high = out(xmm_reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Clears the registers that a function need not keep (System V ABI x86-64, 3.2.1), as far as code for plain x86-64 uses
/// them.
#[inline(always)]
pub(crate) fn clear_scratch_registers() {
    // SAFETY: the compiler is told of each.
    unsafe {
        asm!(
            "pxor xmm0, xmm0", "pxor xmm1, xmm1", "pxor xmm2, xmm2", "pxor xmm3, xmm3",
            "pxor xmm4, xmm4", "pxor xmm5, xmm5", "pxor xmm6, xmm6", "pxor xmm7, xmm7",
            "pxor xmm8, xmm8", "pxor xmm9, xmm9", "pxor xmm10, xmm10", "pxor xmm11, xmm11",
            "pxor xmm12, xmm12", "pxor xmm13, xmm13", "pxor xmm14, xmm14", "pxor xmm15, xmm15",
            "xor ecx, ecx", "xor edx, edx", "xor esi, esi", "xor edi, edi",
            "xor r8d, r8d", "xor r9d, r9d", "xor r10d, r10d", "xor r11d, r11d",
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
            out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _,
            out("xmm13") _, out("xmm14") _, out("xmm15") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _, options(nomem, nostack),
        );
    }
}

/// Where in the standard format the processor saves a component of its extended state, and how many bytes (CPUID, leaf 0xd). Slow
/// where there is a hypervisor.
pub(crate) fn place_of_component(number: u32) -> (usize, usize) {
    let (bytes, at, _) = cpuid(0xd, number);
    (at as usize, bytes as usize)
}

/// Clears the vector registers in their whole width, and those that only newer processors have: functions of libc leave there what
/// they have moved.
#[inline(never)]
pub(crate) fn clear_wide_registers() {
    match widest() {
        Widest::Xmm => {}
        // SAFETY: the processor has it. Whoever calls a C function expects none of these registers back.
        Widest::Ymm => unsafe { clear_ymm() },
        // SAFETY: as above.
        Widest::Zmm => unsafe { clear_zmm() },
    }
}

/// The widest vector registers that the processor and the kernel offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Widest {
    Xmm,
    Ymm,
    Zmm,
}

/// Asks once: on a virtual machine the answer comes from its host, and takes 25 microseconds.
fn widest() -> Widest {
    const ALL: [Widest; 3] = [Widest::Xmm, Widest::Ymm, Widest::Zmm];
    static KNOWN: AtomicU8 = AtomicU8::new(ALL.len() as u8);
    ALL.get(usize::from(KNOWN.load(Relaxed))).copied().unwrap_or_else(|| {
        let widest = ask_for_widest();
        KNOWN.store(widest as u8, Relaxed);
        widest
    })
}

/// Intel's manual, volume 1, 13.2 and 15.2.
#[cold]
fn ask_for_widest() -> Widest {
    const XSAVE_AND_AVX: u32 = 0b11 << 27;
    const AVX512_F_AND_VL: u32 = 1 << 31 | 1 << 16;
    const YMM_STATE: u32 = 0b110;
    const ZMM_STATE: u32 = 0b1110_0110;
    let (leaves, _, _) = cpuid(0, 0);
    if leaves < 7 || cpuid(1, 0).2 & XSAVE_AND_AVX != XSAVE_AND_AVX {
        return Widest::Xmm;
    }
    let enabled: u32;
    // SAFETY: reads a register of the processor, which has it.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack, preserves_flags))
    };
    let has = |state: u32| enabled & state == state;
    match cpuid(7, 0).1 & AVX512_F_AND_VL == AVX512_F_AND_VL {
        true if has(ZMM_STATE) => Widest::Zmm,
        _ if has(YMM_STATE) => Widest::Ymm,
        _ => Widest::Xmm,
    }
}

/// What the processor says about itself: eax, ebx and ecx of a leaf's part.
fn cpuid(leaf: u32, part: u32) -> (u32, u32, u32) {
    let (eax, ebx, ecx): (u32, u64, u32);
    // SAFETY: every x86-64 processor has the instruction; rbx, which can't be named here, is kept.
    unsafe {
        asm!("mov {kept}, rbx", "cpuid", "xchg {kept}, rbx", kept = out(reg) ebx, inlateout("eax") leaf => eax,
            inlateout("ecx") part => ecx, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    (eax, ebx as u32, ecx)
}

/// Clears the first sixteen vector registers in their whole width.
///
/// # Safety
/// The processor has AVX.
#[unsafe(naked)]
unsafe extern "C" fn clear_ymm() {
    naked_asm!("vzeroall", "ret")
}

/// The same, and the sixteen that only AVX-512 knows. Functions of libc use those for what they move: they spare others a
/// `vzeroupper`, and what was in them stays there for long.
///
/// # Safety
/// The processor has AVX-512 F and VL.
#[unsafe(naked)]
unsafe extern "C" fn clear_zmm() {
    naked_asm!(
        "vzeroall",
        "vpxord xmm16, xmm16, xmm16",
        "vpxord xmm17, xmm17, xmm17",
        "vpxord xmm18, xmm18, xmm18",
        "vpxord xmm19, xmm19, xmm19",
        "vpxord xmm20, xmm20, xmm20",
        "vpxord xmm21, xmm21, xmm21",
        "vpxord xmm22, xmm22, xmm22",
        "vpxord xmm23, xmm23, xmm23",
        "vpxord xmm24, xmm24, xmm24",
        "vpxord xmm25, xmm25, xmm25",
        "vpxord xmm26, xmm26, xmm26",
        "vpxord xmm27, xmm27, xmm27",
        "vpxord xmm28, xmm28, xmm28",
        "vpxord xmm29, xmm29, xmm29",
        "vpxord xmm30, xmm30, xmm30",
        "vpxord xmm31, xmm31, xmm31",
        "ret",
    )
}

/// Returns from a signal handler (rt_sigreturn(2)); only the kernel may jump here.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn signal_return() {
    naked_asm!("mov eax, 15", "syscall")
}

/// Starts `entry(argument)` in a new task that shares our memory (clone(2)), on `stack_top`. The task ends by the exit
/// system call and never returns. It has no thread-local storage of its own: `entry` must not touch any.
///
/// # Safety
/// `stack_top` is 16-byte aligned and ends a writable mapping that outlives the task; `entry` keeps the rule above.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn clone_task(
    flags: usize,
    stack_top: usize,
    child_tid: *mut u32,
    entry: extern "C" fn(usize),
    argument: usize,
) -> isize {
    // The kernel gets flags rdi, stack rsi, parent_tid rdx, child_tid r10, tls r8.
    naked_asm!(
        "mov r9, rcx",
        "mov r11, r8",
        "mov r10, rdx",
        "xor edx, edx",
        "xor r8d, r8d",
        "sub rsi, 16",
        "mov [rsi], r9",
        "mov [rsi + 8], r11",
        "mov eax, 56",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "xor edi, edi",
        "mov eax, 60",
        "syscall",
        "ud2",
    )
}

/// Calls `visit` with a context and leaves a weak function pointer of the process, or zero when nobody defines it.
macro_rules! weak_symbol {
    ($(#[$doc:meta])* $name:ident = $symbol:literal) => {
        $(#[$doc])*
        #[inline(never)]
        pub(crate) fn $name() -> usize {
            let address: usize;
            // SAFETY: loads a slot of the global offset table; the weak reference makes it zero when undefined.
            unsafe {
                core::arch::asm!(concat!(".weak ", $symbol), concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                    out(reg) address, options(readonly, nostack, preserves_flags));
            }
            address
        }
    };
}
pub(crate) use weak_symbol;

// core is compiled for unwinding and names this function in its tables, and so do our frames around `main` and around
// the functions of threads. They have nothing to clean up: pthread_exit(3) and cancellation unwind through them, so the
// answer is always "go on" (_URC_CONTINUE_UNWIND). Hidden, so that it never stands in front of a program's own.
#[cfg(all(heapcheck_injected, not(any(all(heapcheck_static, not(heapcheck_alone)), heapcheck_linked))))]
core::arch::global_asm!(
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    "mov eax, 8",
    "ret",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[unsafe(naked)]
    unsafe extern "C" fn fill_ymm(_: usize) {
        naked_asm!(
            "vmovq xmm15, rdi",
            "vpermilpd xmm15, xmm15, 0",
            "vinsertf128 ymm15, ymm15, xmm15, 1",
            "ret"
        )
    }

    #[unsafe(naked)]
    unsafe extern "C" fn read_ymm(_: *mut [usize; 8]) {
        naked_asm!("vmovups [rdi], ymm15", "ret")
    }

    #[unsafe(naked)]
    unsafe extern "C" fn fill_zmm(_: usize) {
        naked_asm!("vpbroadcastq zmm16, rdi", "vpbroadcastq zmm31, rdi", "ret")
    }

    #[unsafe(naked)]
    unsafe extern "C" fn read_zmm(_: *mut [usize; 8]) {
        naked_asm!("vporq zmm16, zmm16, zmm31", "vmovdqu64 [rdi], zmm16", "ret")
    }

    #[test]
    fn vector_registers_are_cleared_in_their_whole_width() {
        let mut words = [0; 8];
        if widest() == Widest::Xmm {
            return eprintln!("skipped: this processor has no AVX");
        }
        // SAFETY: the processor has AVX, and nobody expects these registers to be kept.
        unsafe {
            fill_ymm(0x5bad);
            read_ymm(&mut words);
            assert_eq!(words, [0x5bad, 0x5bad, 0x5bad, 0x5bad, 0, 0, 0, 0]);
            fill_ymm(0x5bad);
            clear_wide_registers();
            read_ymm(&mut words);
        }
        assert_eq!(words, [0; 8]);
        if widest() != Widest::Zmm {
            return eprintln!("skipped: this processor has no AVX-512");
        }
        // SAFETY: as above, with AVX-512.
        unsafe {
            fill_zmm(0x5bad);
            read_zmm(&mut words);
            assert_eq!(words, [0x5bad; 8]);
            fill_zmm(0x5bad);
            clear_wide_registers();
            read_zmm(&mut words);
        }
        assert_eq!(words, [0; 8]);
    }
}
