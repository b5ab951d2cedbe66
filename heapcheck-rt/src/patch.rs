#![expect(unsafe_code, reason = "overwrites the entries of functions in the program's code")]
//! Overwrites the entry of a function with a jump to another.
//!
//! The argument: a function is overwritten before `main`, while the process has one thread and before any code of the
//! module has run, so nobody is inside it. The jump fits: [`crate::foreign`] names only functions with room for it. It
//! destroys no register that carries an argument. The page is made writable and executable at once and not one after
//! the other: where that is forbidden (SELinux, PaX) it fails before anything has changed.
//!
//! ```text
//!   entry: ff 25 00 00 00 00     jmp [rip + 0]
//!          .. 8 bytes ..         the address of the stand-in
//! ```
//!
//! `mprotect` comes as an argument, so that the tests need no runtime.

/// The page size of x86-64, which is the unit of protection.
const PAGE_BYTES: usize = 4096;
const JUMP_BYTES: usize = 14;
const PROT_READ: i32 = 1;
const PROT_WRITE: i32 = 2;
const PROT_EXEC: i32 = 4;

/// Changes the protection of whole pages and says whether it could.
pub(crate) type Protect<'p> = &'p dyn Fn(usize, usize, i32) -> bool;

/// Makes the entry writable; `false` when that is forbidden. It is the only step that can fail, so it is done for all
/// entries before one is overwritten: an allocator must not be redirected in part.
pub(crate) fn open(entry: usize, protect: Protect<'_>) -> bool {
    let (page, len) = pages_of(entry);
    cfg!(target_arch = "x86_64") && protect(page, len, PROT_READ | PROT_WRITE | PROT_EXEC)
}

/// Takes the right to write away again. Should that fail the page stays writable, which the program does not notice.
pub(crate) fn close(entry: usize, protect: Protect<'_>) {
    let (page, len) = pages_of(entry);
    protect(page, len, PROT_READ | PROT_EXEC);
}

/// The first page that a jump at `entry` touches, and the length of all it touches.
fn pages_of(entry: usize) -> (usize, usize) {
    let page = entry & !(PAGE_BYTES - 1);
    (page, (entry - page + JUMP_BYTES).next_multiple_of(PAGE_BYTES))
}

/// Writes a jump to `target` over the function at `entry`.
///
/// # Safety
///
/// `entry` is the first byte of a function of at least 14 bytes, padding included, that no thread is executing, which
/// [`open`] made writable, and `target` is a function that takes and returns the same.
pub(crate) unsafe fn redirect(entry: usize, target: usize) {
    let mut jump = [0xff, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    jump[6..].copy_from_slice(&target.to_le_bytes());
    // SAFETY: the bytes belong to one function and are writable (the caller's promise).
    unsafe { core::ptr::copy_nonoverlapping(jump.as_ptr(), entry as *mut u8, JUMP_BYTES) };
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mprotect(address: *mut u8, len: usize, prot: i32) -> i32;
    }

    fn protect(address: usize, len: usize, prot: i32) -> bool {
        // SAFETY: the tests pass pages of functions that belong to them.
        unsafe { mprotect(address as *mut u8, len, prot) == 0 }
    }

    // Aligned and padded to the size of a jump, in the middle of nothing else.
    core::arch::global_asm!(
        ".balign 64",
        ".globl heapcheck_test_answer_one",
        "heapcheck_test_answer_one: mov eax, 1",
        "ret",
        ".balign 64, 0xcc",
    );
    unsafe extern "C" {
        fn heapcheck_test_answer_one() -> u32;
    }
    extern "C" fn answer_two() -> u32 {
        2
    }

    #[test]
    fn a_jump_that_crosses_a_page_opens_both() {
        assert_eq!(pages_of(0x1000), (0x1000, 0x1000));
        assert_eq!(pages_of(0x1ff2), (0x1000, 0x1000));
        assert_eq!(pages_of(0x1ff3), (0x1000, 0x2000));
    }

    #[test]
    fn a_redirected_function_answers_what_its_stand_in_answers() {
        let entry = heapcheck_test_answer_one as *const () as usize;
        // SAFETY: it takes nothing and returns a number.
        assert_eq!(unsafe { heapcheck_test_answer_one() }, 1);
        assert!(!open(entry, &|_, _, _| false));
        assert!(open(entry, &protect));
        // SAFETY: `entry` is the function above, 64 bytes long, that only this test calls.
        unsafe { redirect(entry, answer_two as *const () as usize) };
        close(entry, &protect);
        // SAFETY: as before.
        assert_eq!(unsafe { heapcheck_test_answer_one() }, 2);
    }
}
