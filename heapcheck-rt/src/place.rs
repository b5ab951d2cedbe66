#![forbid(unsafe_code)]
//! Where a program has called the runtime: from there upwards lies what is the program's.
//!
//! A check must see neither more nor less of its caller than that. A frame of the runtime has gaps, and what the program has
//! left there before it called would keep lost blocks alive: which ones, the compiler of the runtime would decide. And what the
//! caller has in registers is pushed by the first function that needs them. So what leads to a check is entered through a few
//! instructions that note both, and overwrite what lies below.
//!
//! ```text
//!   the caller's frames  | pc | rbp rbx r12 r13 r14 r15 | sp |  zeros ..    frames of the runtime
//!                        sp                             the place
//! ```
//!
//! # Safety
//! The functions that these are put in front of take no more than two arguments, in registers, and the place as their third.

/// Where the program has called the runtime.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Place {
    /// Where the caller's frames begin.
    pub(crate) sp: usize,
    /// The registers that a callee keeps: r15 r14 r13 r12 rbx rbp.
    pub(crate) registers: [usize; 6],
    /// Where the caller goes on.
    pub(crate) pc: usize,
}

impl Place {
    /// A place on the calling thread's stack of which nothing else is known.
    pub(crate) fn at(sp: usize) -> Self {
        Self { sp, registers: [0; 6], pc: 0 }
    }

    /// The caller's frame pointer, if it has one.
    pub(crate) fn frame_pointer(&self) -> usize {
        self.registers[5]
    }
}

/// Bytes below the place that are overwritten: the first frames of whatever the runtime does there, which takes more. They
/// count as any others where another thread checks meanwhile.
pub(crate) const CLEARED_BYTES: usize = 2048;

/// The code of a naked function that calls `$body` with its own arguments, up to two, and the [`Place`] that it was called from.
macro_rules! note_place {
    ($body:path) => {
        core::arch::naked_asm!(
            ".cfi_startproc",
            $crate::place::push_place!(),
            "mov r8, rdi",
            "lea rdi, [rsp - {bytes}]",
            "mov ecx, {bytes} / 8",
            "xor eax, eax",
            "rep stosq",
            "mov rdi, r8",
            "mov rdx, rsp",
            "call {body}",
            // The body has kept all other registers.
            "add rsp, 56",
            ".cfi_def_cfa_offset 8",
            "ret",
            ".cfi_endproc",
            bytes = const $crate::place::CLEARED_BYTES,
            body = sym $body,
        )
    };
}
pub(crate) use note_place;

/// Pushes a [`Place`]; the stack is aligned for a call then, and the way out for who unwinds is described.
macro_rules! push_place {
    () => {
        "lea rax, [rsp + 8]
        push rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        push rbx
        .cfi_def_cfa_offset 24
        .cfi_offset rbx, -24
        push r12
        .cfi_def_cfa_offset 32
        .cfi_offset r12, -32
        push r13
        .cfi_def_cfa_offset 40
        .cfi_offset r13, -40
        push r14
        .cfi_def_cfa_offset 48
        .cfi_offset r14, -48
        push r15
        .cfi_def_cfa_offset 56
        .cfi_offset r15, -56
        push rax
        .cfi_def_cfa_offset 64"
    };
}
pub(crate) use push_place;
