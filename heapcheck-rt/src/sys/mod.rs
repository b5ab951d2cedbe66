#![expect(unsafe_code, reason = "this is where system calls are made")]
//! The operating system as a contract: every function says what it needs and what it promises.
//!
//! These are raw system calls: they allocate nothing, take no lock of libc, set no `errno`, and work while the world
//! is stopped. The few functions that only libc can do are in [`libc`]; nothing else of the runtime names a foreign
//! function. Sources: the man pages of section 2 with the same names.
//!
//! # Safety
//! The argument shared by the safe functions: the call changes no memory that Rust knows of (it answers in a register,
//! or fills a buffer that was passed as a `&mut` slice of that very length). Where a call changes the address space,
//! the function is `unsafe` and says what the caller must own.

pub(crate) mod libc;

use crate::arch;

/// The number of an error, as in errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

pub(crate) const EPERM: i32 = 1;
pub(crate) const ESRCH: i32 = 3;
pub(crate) const EINTR: i32 = 4;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EINVAL: i32 = 22;

pub(crate) const PROT_NONE: usize = 0;
pub(crate) const PROT_READ: usize = 1;
pub(crate) const PROT_WRITE: usize = 2;
pub(crate) const PROT_EXEC: usize = 4;
const MAP_PRIVATE: usize = 0x02;
const MAP_FIXED: usize = 0x10;
const MAP_ANONYMOUS: usize = 0x20;
const MAP_NORESERVE: usize = 0x4000;
pub(crate) const PAGE: usize = 4096;

#[inline(always)]
unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: passed on to the caller.
    let result = unsafe { arch::syscall(number, args) };
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {{
        let given = [$($argument as usize),*];
        let mut args = [0usize; 6];
        args[..given.len()].copy_from_slice(&given);
        // SAFETY: see the head of this file.
        unsafe { call($number, args) }
    }};
}

/// Maps `len` bytes of zeros, readable and writable, at an address of the kernel's choice.
pub(crate) fn map(len: usize) -> Result<usize, Errno> {
    call!(9, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, usize::MAX, 0)
}

/// Reserves `len` bytes of addresses without memory: touching them faults until [`protect`] opens them.
pub(crate) fn reserve(len: usize) -> Result<usize, Errno> {
    call!(9, 0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, usize::MAX, 0)
}

/// Puts a fresh reservation over `[address, address + len)`, as [`reserve`] made it.
///
/// # Safety
/// The caller owns the range, and nothing in it is referenced any more.
pub(crate) unsafe fn reserve_again(address: usize, len: usize) -> Result<(), Errno> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    call!(9, address, len, PROT_READ | PROT_WRITE, flags, usize::MAX, 0).map(drop)
}

/// Maps a file for reading.
pub(crate) fn map_file(fd: i32, len: usize) -> Result<usize, Errno> {
    call!(9, 0, len, PROT_READ, MAP_PRIVATE, fd, 0)
}

/// Gives a mapping back.
///
/// # Safety
/// The caller owns the range, and nothing in it is referenced any more.
pub(crate) unsafe fn unmap(address: usize, len: usize) -> Result<(), Errno> {
    call!(11, address, len).map(drop)
}

/// Changes what may be done with whole pages.
///
/// # Safety
/// The caller owns the range; code and references that use it expect the new protection.
pub(crate) unsafe fn protect(address: usize, len: usize, protection: usize) -> Result<(), Errno> {
    call!(10, address, len, protection).map(drop)
}

/// Moves the pages of `[from, from + len)` to `to` and leaves fresh ones behind, which read as zeros (mremap(2),
/// MAYMOVE | FIXED | DONTUNMAP; since Linux 5.7).
///
/// # Safety
/// The caller owns both ranges and no reference into them is alive.
pub(crate) unsafe fn move_pages(from: usize, len: usize, to: usize) -> Result<(), Errno> {
    call!(25, from, len, len, 7, to).map(drop)
}

/// Drops the content of whole pages: they read as zeros again.
///
/// # Safety
/// The caller owns the range; nobody expects its content.
pub(crate) unsafe fn discard(address: usize, len: usize) -> Result<(), Errno> {
    call!(28, address, len, 4).map(drop)
}

/// Asks for huge pages in a range. A refusal is harmless.
pub(crate) fn want_huge_pages(address: usize, len: usize) {
    let _ = call!(28, address, len, 14);
}

/// Opens a file; `path` ends with a zero byte.
pub(crate) fn open(path: &[u8], flags: usize, mode: usize) -> Result<i32, Errno> {
    if path.last() != Some(&0) {
        return Err(Errno(EINVAL));
    }
    call!(2, path.as_ptr(), flags, mode).map(|fd| fd as i32)
}

pub(crate) const O_WRONLY: usize = 1;
pub(crate) const O_CREAT: usize = 0o100;
pub(crate) const O_EXCL: usize = 0o200;
pub(crate) const O_APPEND: usize = 0o2000;
pub(crate) const O_DIRECTORY: usize = 0o200000;
pub(crate) const O_CLOEXEC: usize = 0o2000000;

/// Reads into `buffer`.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match call!(0, fd, buffer.as_mut_ptr(), buffer.len()) {
            Err(Errno(EINTR)) => {}
            answer => return answer,
        }
    }
}

/// Writes all of `bytes`, also when the kernel takes them in pieces.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match call!(1, fd, bytes.as_ptr(), bytes.len()) {
            Ok(0) => return Err(Errno(EAGAIN)),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno(EINTR)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Copies words of this process's own memory, and fails where reading them would fault. Returns how many.
pub(crate) fn read_memory(address: usize, words: &mut [usize]) -> Result<usize, Errno> {
    let local = [words.as_mut_ptr() as usize, size_of_val(words)];
    let remote = [address, size_of_val(words)];
    // By the thread's number: that of the process means its first thread, which may be gone, and its memory with it.
    call!(310, thread_id(), local.as_ptr(), 1, remote.as_ptr(), 1, 0).map(|bytes| bytes / size_of::<usize>())
}

/// Closes a file descriptor.
pub(crate) fn close(fd: i32) {
    let _ = call!(3, fd);
}

/// Moves `fd` to a number at or above `least`, closed on exec, out of the way of the program's own descriptors.
pub(crate) fn move_fd(fd: i32, least: usize) -> i32 {
    match call!(72, fd, 1030, least) {
        Ok(moved) => {
            close(fd);
            moved as i32
        }
        Err(_) => fd,
    }
}

/// The size of an open file.
pub(crate) fn file_size(fd: i32) -> Result<usize, Errno> {
    let mut stat = [0u64; 18];
    call!(5, fd, stat.as_mut_ptr())?;
    Ok(stat[6] as usize)
}

/// Device and inode of an open file: the same file has the same pair, whatever its name.
pub(crate) fn file_identity(fd: i32) -> Result<(u64, u64), Errno> {
    let mut stat = [0u64; 18];
    call!(5, fd, stat.as_mut_ptr())?;
    Ok((stat[0], stat[1]))
}

/// Makes a folder; `path` ends with a zero byte.
pub(crate) fn make_folder(path: &[u8]) -> Result<(), Errno> {
    if path.last() != Some(&0) {
        return Err(Errno(EINVAL));
    }
    call!(83, path.as_ptr(), 0o777).map(drop)
}

/// Removes a file; `path` ends with a zero byte.
pub(crate) fn unlink(path: &[u8]) {
    if path.last() == Some(&0) {
        let _ = call!(87, path.as_ptr());
    }
}

/// Reads where a symbolic link points; `path` ends with a zero byte.
pub(crate) fn read_link(path: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    if path.last() != Some(&0) {
        return Err(Errno(EINVAL));
    }
    call!(89, path.as_ptr(), buffer.as_mut_ptr(), buffer.len())
}

/// Reads directory entries in the kernel's form (getdents64(2)).
pub(crate) fn read_directory(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    call!(217, fd, buffer.as_mut_ptr(), buffer.len())
}

/// This process.
pub(crate) fn process_id() -> i32 {
    call!(39).unwrap_or(0) as i32
}

/// The parent of this process.
pub(crate) fn parent_id() -> i32 {
    call!(110).unwrap_or(0) as i32
}

/// This thread.
pub(crate) fn thread_id() -> i32 {
    call!(186).unwrap_or(0) as i32
}

/// Reads the name of a thread of this process; leaves it as it is when there is none.
pub(crate) fn read_thread_name(thread: i32, name: &mut [u8; 16]) {
    if thread == thread_id() {
        // PR_GET_NAME costs a tenth of a file.
        let _ = call!(157, 16, name.as_mut_ptr());
        return;
    }
    let mut path = *b"/proc/self/task/0000000000/comm\0";
    let mut number = thread.max(0) as u32;
    for digit in path[16..26].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    // The kernel takes no leading zeros.
    let zeros = path[16..25].iter().take_while(|digit| **digit == b'0').count();
    path.copy_within(16 + zeros.., 16);
    let end = path.len() - zeros;
    let Ok(fd) = open(&path[..end], O_CLOEXEC, 0) else { return };
    let mut read_name = [0u8; 16];
    if let Ok(len) = read(fd, &mut read_name) {
        *name = [0; 16];
        let len = read_name[..len].iter().position(|byte| *byte == b'\n').unwrap_or(len).min(15);
        name[..len].copy_from_slice(&read_name[..len]);
    }
    close(fd);
}

/// Sends a signal to one thread; signal 0 only asks whether it exists.
pub(crate) fn signal_thread(process: i32, thread: i32, signal: i32) -> Result<(), Errno> {
    call!(234, process, thread, signal).map(drop)
}

/// The `si_errno` that marks a signal of [`queue_signal`]: nobody else fills that field.
pub(crate) const SIGNAL_MARK: i32 = 0x6863_6b21;

/// Sends a signal with a word to one thread of this process (rt_tgsigqueueinfo(2)). The handler finds the mark and the
/// word in its siginfo_t, see [`signal_word`].
pub(crate) fn queue_signal(process: i32, thread: i32, signal: i32, word: u64) -> Result<(), Errno> {
    const SI_QUEUE: i32 = -1;
    // siginfo_t: number, errno, code, padding, sender, user, word; 128 bytes in all.
    let mut info = [0i32; 32];
    info[0] = signal;
    info[1] = SIGNAL_MARK;
    info[2] = SI_QUEUE;
    info[4] = process;
    info[6] = word as i32;
    info[7] = (word >> 32) as i32;
    call!(297, process, thread, signal, info.as_ptr()).map(drop)
}

/// Reads the word of a signal that [`queue_signal`] sent; `None` when somebody else sent it.
///
/// # Safety
/// `info` is the siginfo_t that the kernel gave to a handler.
pub(crate) unsafe fn signal_word(info: usize) -> Option<u64> {
    // SAFETY: siginfo_t is 128 bytes and 8-byte aligned.
    let (mark, word) = unsafe { ((info as *const i32).add(1).read(), (info as *const u64).add(3).read()) };
    (mark == SIGNAL_MARK).then_some(word)
}

/// Touches every page of a range for reading, and says whether all of them can be read (madvise(2), POPULATE_READ):
/// pages behind the end of a shortened file cannot. Kernels before 5.14 do not know the question.
pub(crate) fn can_read(address: usize, len: usize) -> bool {
    !matches!(call!(28, address, len, 22), Err(Errno(error)) if error != EINVAL)
}

/// Which pages from `address` on are in memory (mincore(2)): the lowest bit of one byte each, the first in the first word's
/// lowest byte. False when the kernel does not say. `answers` has a word for each page, more than they need.
pub(crate) fn which_resident(address: usize, answers: &mut [u64]) -> bool {
    call!(27, address, answers.len() * PAGE, answers.as_mut_ptr()).is_ok()
}

/// Reads words of a file, from the byte `offset` on (pread(2)); returns how many.
pub(crate) fn read_words_at(fd: i32, words: &mut [u64], offset: usize) -> Result<usize, Errno> {
    call!(17, fd, words.as_mut_ptr(), size_of_val(words), offset).map(|bytes| bytes / 8)
}

/// Sleeps while `*word == expected`, at most `timeout_ns` (0: without end). May wake for no reason.
pub(crate) fn futex_wait(word: &core::sync::atomic::AtomicU32, expected: u32, timeout_ns: u64) {
    let timeout = [timeout_ns / 1_000_000_000, timeout_ns % 1_000_000_000];
    let timeout = if timeout_ns == 0 { core::ptr::null() } else { timeout.as_ptr() };
    let _ = call!(202, word.as_ptr(), 0, expected, timeout);
}

/// The same for a word that the kernel itself clears and wakes, at the end of a task (set_tid_address(2)).
pub(crate) fn futex_wait_shared(word: &core::sync::atomic::AtomicU32, expected: u32) {
    let _ = call!(202, word.as_ptr(), 0, expected, 0);
}

/// Wakes everybody who sleeps on `word`.
pub(crate) fn futex_wake_all(word: &core::sync::atomic::AtomicU32) {
    let _ = call!(202, word.as_ptr(), 1, i32::MAX);
}

/// Whether a task of this process has this number and has not ended.
pub(crate) fn is_task(thread: i32) -> bool {
    signal_thread(process_id(), thread, 0).is_ok()
}

/// The calling thread's alternate signal stack, when it has one and is not on it: its first address and its length
/// (sigaltstack(2)).
pub(crate) fn idle_signal_stack() -> Option<(usize, usize)> {
    const ON_OR_NONE: usize = 1 | 2;
    let mut stack = [0usize; 3];
    call!(131, 0, stack.as_mut_ptr()).ok()?;
    (stack[1] & ON_OR_NONE == 0).then_some((stack[0], stack[2]))
}

/// Gives the processor to somebody else.
pub(crate) fn yield_now() {
    let _ = call!(24);
}

/// Sleeps.
pub(crate) fn sleep_ns(ns: u64) {
    let request = [ns / 1_000_000_000, ns % 1_000_000_000];
    let _ = call!(35, request.as_ptr(), 0);
}

/// Nanoseconds of a clock that never goes back.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(1)
}

/// Nanoseconds since 1970.
pub(crate) fn wall_clock_ns() -> u64 {
    clock_ns(0)
}

fn clock_ns(clock: usize) -> u64 {
    let mut time = [0u64; 2];
    let _ = call!(228, clock, time.as_mut_ptr());
    time[0] * 1_000_000_000 + time[1]
}

/// The soft limit of a resource; `u64::MAX` is none.
pub(crate) fn limit_of(resource: usize) -> u64 {
    let mut limit = [u64::MAX; 2];
    let _ = call!(97, resource, limit.as_mut_ptr());
    limit[0]
}

pub(crate) const RLIMIT_STACK: usize = 3;
pub(crate) const RLIMIT_AS: usize = 9;

/// The number of processors this thread may run on, at least one.
pub(crate) fn processors() -> usize {
    let mut mask = [0u64; 128];
    match call!(204, 0, size_of_val(&mask), mask.as_mut_ptr()) {
        Ok(bytes) => mask[..bytes / 8].iter().map(|word| word.count_ones() as usize).sum::<usize>().max(1),
        Err(_) => 1,
    }
}

/// Fills `buffer` with random bytes; leaves it as it is when the kernel has none.
pub(crate) fn random(buffer: &mut [u8]) {
    let _ = call!(318, buffer.as_mut_ptr(), buffer.len(), 1);
}

/// Ends the whole process at once (exit_group(2)): no handler runs, nothing is flushed.
pub(crate) fn exit_process(status: i32) -> ! {
    loop {
        let _ = call!(231, status);
    }
}

/// A signal's action in the kernel's own layout (rt_sigaction(2)).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SignalAction {
    pub(crate) handler: usize,
    pub(crate) flags: u64,
    pub(crate) restorer: usize,
    pub(crate) mask: u64,
}

pub(crate) const SA_SIGINFO: u64 = 4;
pub(crate) const SA_NODEFER: u64 = 0x4000_0000;
pub(crate) const SA_RESTART: u64 = 0x1000_0000;
pub(crate) const SA_ONSTACK: u64 = 0x0800_0000;
const SA_RESTORER: u64 = 0x0400_0000;

/// A handler as the kernel calls it: number, siginfo_t, ucontext_t.
pub(crate) type SignalHandler = extern "C" fn(i32, usize, usize);

/// Installs `handler` for `signal` with all other signals blocked while it runs, and returns the action before.
pub(crate) fn install_handler(
    signal: i32,
    handler: SignalHandler,
    flags: u64,
) -> Result<SignalAction, Errno> {
    let action = SignalAction {
        handler: handler as *const () as usize,
        flags: flags | SA_SIGINFO | SA_RESTORER,
        restorer: arch::signal_return as *const () as usize,
        mask: u64::MAX,
    };
    replace_action(signal, &action)
}

/// Sets a signal's action and returns the one before.
pub(crate) fn replace_action(signal: i32, action: &SignalAction) -> Result<SignalAction, Errno> {
    let mut before = SignalAction::default();
    call!(13, signal, action as *const SignalAction, &mut before as *mut SignalAction, 8)?;
    Ok(before)
}

/// Sets the blocked signals of this thread and returns those before.
pub(crate) fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    let _ = call!(14, 2, &mask as *const u64, &mut before as *mut u64, 8);
    before
}

/// Adds to the blocked signals of this thread and returns those before.
pub(crate) fn block_signals(mask: u64) -> u64 {
    let mut before = 0u64;
    let _ = call!(14, 0, &mask as *const u64, &mut before as *mut u64, 8);
    before
}

/// prctl(2) with one argument.
pub(crate) fn process_control(option: usize, argument: usize) -> Result<usize, Errno> {
    call!(157, option, argument)
}

/// prctl(2) with two arguments.
pub(crate) fn process_control_2(option: usize, first: usize, second: usize) -> Result<usize, Errno> {
    call!(157, option, first, second)
}

/// ptrace(2).
///
/// # Safety
/// `data` is what `request` reads or writes.
pub(crate) unsafe fn trace(request: usize, thread: i32, address: usize, data: usize) -> Result<usize, Errno> {
    call!(101, request, thread, address, data)
}

/// Waits for a child or traced task (wait4(2)) and returns (its id, its status word).
pub(crate) fn wait_for(task: i32, options: usize) -> Result<(i32, i32), Errno> {
    let mut status = 0i32;
    let id = call!(61, task, &mut status as *mut i32, options, 0)?;
    Ok((id as i32, status))
}
