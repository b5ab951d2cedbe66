#![expect(unsafe_code, reason = "makes system calls, and gives C functions to the compiler")]
//! What the usher needs of the system besides `sys`: processes, folders, a file in memory; and the C functions that the
//! compiler calls on its own, because nothing else is linked in.
//!
//! # Safety
//! The calls change no memory that Rust knows of. Paths and strings end with a zero byte, which is checked where they are
//! slices; lists of them end with a null word, as whoever made them promises.

use crate::arch;
use crate::sys::{self, Errno};
use core::ffi::c_void;

const CLOSE_ON_EXEC: usize = 0o2000000;

fn call(number: usize, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: see the head of this file; the callers below pass no memory but what they own.
    let result = unsafe { arch::syscall(number, args) };
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

fn call_with_path(number: usize, path: &[u8], second: usize) -> Result<usize, Errno> {
    match path.last() {
        Some(0) => call(number, [path.as_ptr() as usize, second, 0, 0, 0, 0]),
        _ => Err(Errno(sys::EINVAL)),
    }
}

/// Whether there is something at `path` (access(2)).
pub(crate) fn exists(path: &[u8]) -> bool {
    call_with_path(21, path, 0).is_ok()
}

/// Device and inode of the file at `path` (stat(2)).
pub(crate) fn identity_of(path: &[u8]) -> Result<(u64, u64), Errno> {
    let mut stat = [0u64; 18];
    call_with_path(4, path, stat.as_mut_ptr() as usize)?;
    Ok((stat[0], stat[1]))
}

/// Makes a file in memory (memfd_create(2)). Programs that are executed keep it.
pub(crate) fn memory_file() -> Result<i32, Errno> {
    call(319, [c"heapcheck".as_ptr() as usize, 0, 0, 0, 0, 0]).map(|fd| fd as i32)
}

/// So many bytes of memory, zeros that nobody has touched (mmap(2)). It is never given back.
pub(crate) fn memory(bytes: usize) -> Option<&'static mut [u8]> {
    const READ_AND_WRITE: usize = 3;
    const PRIVATE_AND_ANONYMOUS: usize = 0x22;
    let address = call(9, [0, bytes, READ_AND_WRITE, PRIVATE_AND_ANONYMOUS, usize::MAX, 0]).ok()?;
    // SAFETY: the mapping is new, as long, and stays.
    Some(unsafe { core::slice::from_raw_parts_mut(address as *mut u8, bytes) })
}

/// What an open file has, mapped for reading.
pub(crate) struct Mapping<'m>(&'m [u8]);

impl Mapping<'_> {
    /// Maps what an open file has now.
    pub(crate) fn of(fd: i32) -> Result<Self, Errno> {
        let len = sys::file_size(fd)?;
        if len == 0 {
            return Ok(Self(&[]));
        }
        let address = sys::map_file(fd, len)?;
        // SAFETY: the mapping is as long, and lives until this is dropped. The files are written by a process that has
        // ended, or only grow.
        Ok(Self(unsafe { core::slice::from_raw_parts(address as *const u8, len) }))
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Mapping<'_> {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            // SAFETY: the mapping is ours, and references into it do not outlive `self`.
            let _ = unsafe { sys::unmap(self.0.as_ptr() as usize, self.0.len()) };
        }
    }
}

/// Becomes another program (execve(2)). Returns only when that fails.
///
/// # Safety
/// The lists hold addresses of strings that end with a zero, and end with a null word.
pub(crate) unsafe fn become_program(path: &[u8], arguments: &[usize], variables: &[usize]) -> Errno {
    let lists = [arguments, variables].map(|list| list.as_ptr() as usize);
    match path.last() {
        Some(0) => call(59, [path.as_ptr() as usize, lists[0], lists[1], 0, 0, 0]).err().unwrap_or(Errno(0)),
        _ => Errno(sys::EINVAL),
    }
}

/// A program that is to be started.
pub(crate) struct Child<'c> {
    pub(crate) path: &'c [u8],
    pub(crate) arguments: &'c [usize],
    pub(crate) variables: &'c [usize],
    /// Where it reads from, where it writes both of its outputs to, and one more that it does not get.
    pub(crate) files: [i32; 3],
    /// Why it did not start.
    failed: core::sync::atomic::AtomicI32,
}

impl<'c> Child<'c> {
    /// Describes it.
    ///
    /// # Safety
    /// The lists hold addresses of strings that end with a zero, and end with a null word.
    pub(crate) unsafe fn new(
        path: &'c [u8], arguments: &'c [usize], variables: &'c [usize], files: [i32; 3],
    ) -> Self {
        Self { path, arguments, variables, files, failed: core::sync::atomic::AtomicI32::new(0) }
    }

    /// Starts it, and answers its number. As posix_spawn(3) does it: the child borrows our memory, on a stack of its own,
    /// and we stand still until it has become the program.
    pub(crate) fn start(&self) -> Result<i32, Errno> {
        const BORROWED: usize = 0x100 | 0x4000 | 17; // CLONE_VM, CLONE_VFORK, SIGCHLD
        #[repr(align(16))]
        struct Stack([u8; 8192]);
        let mut stack = core::mem::MaybeUninit::<Stack>::uninit();
        let top = stack.as_mut_ptr() as usize + size_of::<Stack>();
        let own = self as *const Self as usize;
        // SAFETY: the stack outlives the child's use of it, because this thread stands still; there is no thread-local
        // storage here that it could touch.
        let pid = unsafe { arch::clone_task(BORROWED, top, core::ptr::null_mut(), become_child, own) };
        match self.failed.load(core::sync::atomic::Ordering::Relaxed) {
            0 if pid > 0 => Ok(pid as i32),
            0 => Err(Errno(-pid as i32)),
            errno => {
                let _ = sys::wait_for(pid as i32, 0);
                Err(Errno(errno))
            }
        }
    }
}

/// The child, until it is the program. It ends with us, when somebody kills us.
extern "C" fn become_child(child: usize) {
    // SAFETY: `start` has passed it.
    let child = unsafe { &*(child as *const Child<'_>) };
    let _ = sys::process_control(1, 15); // PR_SET_PDEATHSIG, SIGTERM
    let [input, output, _] = child.files;
    let moved = [(input, 0), (output, 1), (output, 2)]
        .into_iter()
        .try_for_each(|(from, to)| call(33, [from as usize, to, 0, 0, 0, 0]).map(drop));
    let errno = match moved {
        Ok(()) => {
            child.files.into_iter().for_each(sys::close);
            // SAFETY: as `Child::new` was promised.
            unsafe { become_program(child.path, child.arguments, child.variables) }
        }
        Err(errno) => errno,
    };
    child.failed.store(errno.0.max(1), core::sync::atomic::Ordering::Relaxed);
    sys::exit_process(127)
}

/// Something that tells when a process has ended (pidfd_open(2)).
pub(crate) fn open_process(pid: i32) -> Result<i32, Errno> {
    call(434, [pid as usize, 0, 0, 0, 0, 0]).map(|fd| fd as i32)
}

/// Waits until something can be read from `fd`, for at most `millis` (poll(2)), and says whether it can.
pub(crate) fn wait_until_readable(fd: i32, millis: usize) -> bool {
    // struct pollfd: descriptor, events (POLLIN), answer.
    let mut wanted = [fd, 1];
    call(7, [wanted.as_mut_ptr() as usize, 1, millis, 0, 0, 0]) == Ok(1)
}

/// Opens a file to add to its end, with nobody in between.
pub(crate) fn open_to_add(path: &[u8]) -> Result<i32, Errno> {
    sys::open(path, sys::O_WRONLY | sys::O_CREAT | sys::O_APPEND | CLOSE_ON_EXEC, 0o666)
}

/// # Safety
/// As in the C standard.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void {
    // SAFETY: as the caller promises; the direction flag is clear (psABI).
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As in the C standard.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: what is overwritten was read before.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: as the caller promises; backwards, so that what is overwritten was read before.
    unsafe {
        core::arch::asm!("std", "rep movsb", "cld", inout("rcx") len => _,
            inout("rdi") to.wrapping_byte_add(len).wrapping_byte_sub(1) => _,
            inout("rsi") from.wrapping_byte_add(len).wrapping_byte_sub(1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As in the C standard.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut c_void, byte: i32, len: usize) -> *mut c_void {
    // SAFETY: as the caller promises; the direction flag is clear (psABI).
    unsafe {
        core::arch::asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As in the C standard.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: as the caller promises. Volatile, so that this loop does not become a call of itself.
        let (one, other) = unsafe { (one.add(at).read_volatile(), other.add(at).read_volatile()) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// # Safety
/// As `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { memcmp(one, other, len) }
}

/// # Safety
/// As in the C standard.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn strlen(string: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: as the caller promises. Volatile, as in `memcmp`.
    while unsafe { string.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}
