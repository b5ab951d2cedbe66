#![forbid(unsafe_code)]
//! Where the program called the runtime.
//!
//! What lies below is not the program's any more: frames of the runtime and of libc. They have gaps, and what the program
//! has left there would keep its blocks alive.

/// The registers that a callee keeps (rbx rbp r12 r13 r14 r15) as the program left them, and the stack pointer right above
/// the return address. In this order, which is the one in which entries push them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Place {
    pub(crate) registers: [usize; 6],
    pub(crate) sp: usize,
}
