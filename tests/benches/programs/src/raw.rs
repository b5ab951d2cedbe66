#![expect(unsafe_code, reason = "the C allocator and the clock are called directly")]
//! Raw blocks and the clock: the C functions a program measures, without anything of Rust's around them.
//!
//! The argument its blocks share: a pointer handed to `free` or `write_word` came from `malloc` of this file and is
//! still live; the programs keep this, they have no other source of pointers.

use std::hint::black_box;
use std::sync::atomic::AtomicU64;

/// A block of `size` bytes. The pointer is hidden from the optimiser, which else removes the pair.
#[inline(always)]
pub fn malloc(size: usize) -> *mut u8 {
    // SAFETY: malloc may be called with any size.
    let block = unsafe { libc::malloc(size) };
    assert!(!block.is_null(), "malloc has no memory left");
    black_box(block.cast())
}

/// Frees what `malloc` gave.
#[inline(always)]
pub fn free(block: *mut u8) {
    // SAFETY: the block is live (see the head).
    unsafe { libc::free(black_box(block).cast()) }
}

/// Writes the `index`th word of a block that is long enough to have it.
#[inline(always)]
pub fn write_word(block: *mut u8, index: usize, value: u64) {
    // SAFETY: the block is live (see the head), malloc aligns it to 16, and the caller stays below its size.
    unsafe { block.cast::<u64>().add(index).write(value) }
}

/// `CLOCK_MONOTONIC`, the clock the bench reads as well.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux and `now` is a timespec to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Resident memory of this process: the second field of /proc/self/statm, in pages (proc(5)).
pub fn rss_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("read /proc/self/statm");
    let pages: usize = statm.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("statm has numbers");
    // SAFETY: sysconf reads a constant.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
}

/// Numbers, all zero, that forked processes share with this one.
///
/// # Panics
/// When there is no memory.
pub fn shared<const COUNT: usize>() -> &'static [AtomicU64; COUNT] {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches nothing that is there.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), 8 * COUNT, protection, flags, -1, 0) };
    assert!(address != libc::MAP_FAILED, "mmap has no memory left");
    // SAFETY: the mapping is large enough, begins with a page, and stays.
    unsafe { &*address.cast() }
}

/// Runs `other` in a process of its own, and `here` meanwhile.
///
/// # Panics
/// When there can be no more processes.
pub fn beside<R>(other: impl FnOnce(), here: impl FnOnce() -> R) -> R {
    // SAFETY: this process has one thread, so its copy may do whatever it may do.
    match unsafe { libc::fork() } {
        -1 => panic!("fork makes no process"),
        0 => {
            other();
            // SAFETY: ends this process, whose destructors and buffers are the other one's.
            unsafe { libc::_exit(0) }
        }
        child => {
            let result = here();
            // SAFETY: waits for the child; null means that its status is not wanted.
            assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
            result
        }
    }
}
