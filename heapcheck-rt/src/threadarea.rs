#![expect(unsafe_code, reason = "reads libc's thread control block")]
//! The words at a thread's pointer that both C libraries agree on, and the vector of thread-local storage behind them.
//!
//! ```text
//!            glibc tcbhead_t (sysdeps/x86_64/nptl/tls.h)    musl struct pthread (src/internal/pthread_impl.h)
//!   fs + 0   tcb = fs                                       self = fs
//!   fs + 8   dtv                                            dtv
//!   fs + 16  self = fs                                      prev
//!   fs + 24  multiple_threads, gscope_flag                  next
//!
//!   glibc dtv[-1] = number of entries, dtv[0] = generation, dtv[m] = { block or -1, what to free or null }, 16 bytes each
//!   musl  dtv[0] = number of entries, dtv[m] = block, 8 bytes each
//! ```
//!
//! # Safety
//! `read` says which words can be read; it answers `None` instead of faulting.

/// Where the vector of a thread lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dtv {
    /// Its first byte, as it was allocated.
    pub(crate) start: usize,
    pub(crate) end: usize,
    glibc: bool,
}

/// A program has fewer modules than this; a larger count means that the vector is none.
const MODULES_MAX: usize = 1 << 20;

/// Finds the vector of the thread whose pointer is `pointer`.
pub(crate) fn dtv_of(pointer: usize, read: impl Fn(usize) -> Option<usize>) -> Option<Dtv> {
    if read(pointer)? != pointer {
        return None;
    }
    let dtv = read(pointer + 8)?;
    // With one thread musl's prev and next both point at it; glibc's fourth word is two small integers.
    let glibc = read(pointer + 16)? == pointer && read(pointer + 24)? != pointer;
    let (start, entries, bytes) =
        if glibc { (dtv.wrapping_sub(16), read(dtv.wrapping_sub(16))?, 16) } else { (dtv, read(dtv)?, 8) };
    let count = entries.checked_add(if glibc { 2 } else { 1 }).filter(|count| *count <= MODULES_MAX)?;
    Some(Dtv { start, end: start.checked_add(count * bytes)?, glibc })
}

impl Dtv {
    /// The block that the loader allocated for `module`, or `None` when it has none or a static one.
    pub(crate) fn allocated(self, module: usize, read: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let (bytes, before) = if self.glibc { (16, 16) } else { (8, 0) };
        let entry = self.start + before + module.checked_mul(bytes)?;
        if module == 0 || entry + bytes > self.end {
            return None;
        }
        let block = read(entry)?;
        if self.glibc && read(entry + 8)? == 0 {
            return None;
        }
        (block != 0 && block != usize::MAX).then_some(block)
    }
}

/// Whether the loader allocated the calling thread's storage for `module` on its own.
///
/// # Safety
/// `pointer` is the calling thread's pointer, set up by libc.
pub(crate) unsafe fn is_owned_by_loader(pointer: usize, module: usize) -> bool {
    // SAFETY: libc keeps the words of the control block and of the vector readable while the thread lives; a musl
    // vector knows no owner, so there the answer says only that there is a block.
    let read = |address: usize| Some(unsafe { (address as *const usize).read() });
    dtv_of(pointer, read).is_some_and(|dtv| dtv.glibc && dtv.allocated(module, read).is_some())
}
