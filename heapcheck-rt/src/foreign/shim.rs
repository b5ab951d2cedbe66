#![forbid(unsafe_code)]
//! Reads the machine code of a function's entry, as far as the decisions need it.
//!
//! Three questions: does `__rust_alloc` do nothing but jump to `__rdl_alloc`; was it compiled without optimisation; is
//! there room for a jump at an entry. Each looks for a pattern and says no when it sees anything else.

/// The address that a function jumps to, when it is nothing but that jump.
#[cfg(target_arch = "x86_64")]
pub(super) fn jump_of(code: &[u8], address: u64) -> Option<u64> {
    const ENDBR64: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];
    let skipped = if code.starts_with(ENDBR64) { ENDBR64.len() } else { 0 };
    target_of(code, skipped, 0xe9, address)
}

/// The addresses that the function may call directly. Every byte is taken for an instruction's first: a wrong one points
/// at a function's very entry by no chance.
#[cfg(target_arch = "x86_64")]
pub(super) fn calls(code: &[u8], address: u64) -> impl Iterator<Item = u64> + '_ {
    (0..code.len()).filter_map(move |at| target_of(code, at, 0xe8, address))
}

/// The target of the jump or call with this opcode and a 32-bit distance, which stands at `at`.
#[cfg(target_arch = "x86_64")]
fn target_of(code: &[u8], at: usize, opcode: u8, address: u64) -> Option<u64> {
    let (first, distance) = code.get(at..)?.split_first()?;
    let distance = i32::from_le_bytes(*distance.first_chunk().filter(|_| *first == opcode)?);
    let next = address.wrapping_add(at as u64).wrapping_add(5);
    Some(next.wrapping_add_signed(i64::from(distance)))
}

/// On a machine whose code is not read here nothing is known.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn jump_of(_code: &[u8], _address: u64) -> Option<u64> {
    None
}

/// On a machine whose code is not read here nothing is known.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn calls(_code: &[u8], _address: u64) -> impl Iterator<Item = u64> + '_ {
    core::iter::empty()
}

/// Whether `bytes`, which lie between the end of a function and the next one, are filling that no code jumps to.
pub(super) fn is_padding(bytes: &[u8]) -> bool {
    // int3; zero; nop in its many lengths: prefixes 66 and 2e, opcode 0f 1f, then a memory operand of 40, 44, 80, 84, 00.
    const FILLING: &[u8] = &[0xcc, 0x00, 0x90, 0x66, 0x2e, 0x0f, 0x1f, 0x40, 0x44, 0x80, 0x84];
    bytes.iter().all(|byte| FILLING.contains(byte))
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_followed_and_nothing_else_is() {
        let check = |code: &[u8], wanted| assert_eq!(jump_of(code, 0x1000), wanted);
        check(&[0xe9, 0x0b, 0, 0, 0], Some(0x1010));
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 0xfb, 0xff, 0xff, 0xff], Some(0x1004));
        check(&[0xe9, 0x0b], None);
        check(&[], None);
        // jmp [rip + ..]; mov rdx, rdi; jmp ..
        check(&[0xff, 0x25, 0, 0, 0, 0], None);
        check(&[0x48, 0x89, 0xfa, 0xe9, 0, 0, 0, 0], None);
    }

    #[test]
    fn a_call_is_found_behind_other_instructions() {
        // sub rsp, 24; call 0x1019
        let code = [0x48, 0x83, 0xec, 0x18, 0xe8, 0x10, 0, 0, 0];
        assert_eq!(calls(&code, 0x1000).collect::<Vec<_>>(), [0x1019]);
        assert_eq!(calls(&code[..8], 0x1000).count(), 0);
    }

    #[test]
    fn filling_is_told_from_code() {
        assert!(is_padding(&[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xcc]));
        assert!(!is_padding(&[0xc3]));
    }
}
