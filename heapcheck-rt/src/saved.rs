#![expect(unsafe_code, reason = "reads what the kernel saved of a thread's registers")]
//! The registers beyond the general ones, as the kernel saves them where a thread is stopped.
//!
//! The area has gaps: reserved bytes, and components that this processor or this thread has none of. The processor leaves them
//! as they are (Intel SDM 1, 13.7), and the area may lie on the thread's stack: what a gap shows is what the program has left
//! there. So only the components count that were in use.
//!
//! ```text
//!   0        32     160         416       512       576
//!   | control | x87 | xmm0..15  | reserved | header  | other components, where CPUID says
//! ```
//!
//! # Safety
//! An area was written by the kernel, and stays what it is while the world is stopped.

use crate::arch;
use crate::intervals::Span;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// Components (Intel SDM 1, 13.1): the registers of the x87, of which MMX has the first eight bytes each, and those of SSE.
const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
/// The upper halves of zmm0 to zmm15, and all of zmm16 to zmm31.
const WIDE: u64 = 1 << 6 | 1 << 7;
/// As many as are known.
const COMPONENTS: usize = 20;

/// Bytes of the area without a header, as FXSAVE makes it.
const LEGACY_BYTES: usize = 512;
const X87_AT: usize = 32;
const SSE_AT: usize = 160;
const SSE_END: usize = 416;

/// Where the processor saves what: a place and a number of bytes in one word, 0 until it was asked.
#[derive(Debug)]
pub(crate) struct Layout([AtomicU64; COMPONENTS]);

impl Layout {
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; COMPONENTS])
    }

    fn place_of(&self, number: usize) -> (usize, usize) {
        let known = self.0[number].load(Relaxed);
        if known != 0 {
            return ((known >> 32) as usize, known as u32 as usize);
        }
        let (at, bytes) = arch::place_of_component(number as u32);
        self.0[number].store((at as u64) << 32 | bytes as u64, Relaxed);
        (at, bytes)
    }
}

/// What was saved of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saved {
    area: Span,
    /// The components that were in use.
    components: u64,
}

impl Saved {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self { area: Span { start: 0, end: 0 }, components: 0 };

    /// The same without the registers that only code for AVX-512 has.
    pub(crate) fn without_wide(self) -> Self {
        Self { components: self.components & !WIDE, ..self }
    }

    /// Calls `visit` with each part of the area that is words of registers.
    pub(crate) fn each_part(&self, layout: &Layout, mut visit: impl FnMut(Span)) {
        let Span { start, end } = self.area;
        let mut visit = |from: usize, to: usize| {
            if start + to <= end {
                visit(Span::new(start + from, start + to));
            }
        };
        if self.components & X87 != 0 {
            (0..8).for_each(|number| visit(X87_AT + 16 * number, X87_AT + 16 * number + 8));
        }
        if self.components & SSE != 0 {
            visit(SSE_AT, SSE_END);
        }
        for number in (2..COMPONENTS).filter(|number| self.components >> number & 1 != 0) {
            let (at, bytes) = layout.place_of(number);
            if at > LEGACY_BYTES && bytes >= size_of::<usize>() {
                visit(at, at + bytes);
            }
        }
    }
}

/// Reads what is in an area.
///
/// # Safety
/// The kernel has written it, or it is empty.
pub(crate) unsafe fn read(area: Span) -> Saved {
    let bytes = area.end - area.start;
    if bytes < LEGACY_BYTES {
        return Saved::NOTHING;
    }
    let mut components = X87 | SSE;
    if bytes > LEGACY_BYTES + size_of::<u64>() {
        // SAFETY: the header begins there, with the components that were in use (XSTATE_BV).
        components = unsafe { ((area.start + LEGACY_BYTES) as *const u64).read() };
    }
    // Few threads have anything in these, and there may be thousands of threads.
    // SAFETY: the words lie within the legacy part.
    let is_zero = |number: usize| unsafe { ((area.start + X87_AT + 16 * number) as *const u64).read() == 0 };
    if (0..8).all(is_zero) {
        components &= !X87;
    }
    Saved { area, components }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(64))]
    struct Area([u64; 344]);

    /// Which bytes of a used piece of stack count when these components were saved there, the others lying at 576 and 1152.
    fn check(components: u64, expected: &[(usize, usize)]) {
        let layout = Layout::new();
        layout.0[2].store(576 << 32 | 256, Relaxed);
        layout.0[6].store(1152 << 32 | 512, Relaxed);
        let mut area = Area([0x4141_4141_4141_4141; 344]);
        area.0[LEGACY_BYTES / 8] = components;
        let start = (&raw const area) as usize;
        // SAFETY: it looks as the kernel would leave it.
        let saved = unsafe { read(Span::new(start, start + size_of::<Area>())) };
        let mut parts = Vec::new();
        saved.each_part(&layout, |part| parts.push((part.start - start, part.end - start)));
        assert_eq!(parts, expected);
    }

    #[test]
    fn what_was_not_saved_does_not_count() {
        let x87: Vec<(usize, usize)> = (0..8).map(|number| (32 + 16 * number, 40 + 16 * number)).collect();
        check(0, &[]);
        check(X87, &x87);
        check(SSE, &[(160, 416)]);
        check(SSE | 1 << 2, &[(160, 416), (576, 832)]);
        check(SSE | 1 << 6, &[(160, 416), (1152, 1664)]);
    }
}
