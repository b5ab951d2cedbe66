//! The processor: one file an architecture, all with the same names in them.

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("heapcheck: this runtime knows x86-64 only");

/// Overwrites what lies below the stack pointer, and the registers that calls need not keep. Frames that come to lie there
/// have gaps, vector registers stay what they are for long, and an address in either keeps its block alive, whoever has
/// lost it: so where code of the runtime has handled addresses of blocks that are not its caller's, it leaves none behind.
#[inline(never)]
pub(crate) fn clear_below<const BYTES: usize>() {
    let mut below = [0u8; BYTES];
    core::hint::black_box(&mut below);
    clear_scratch_registers();
}
