#![forbid(unsafe_code)]
//! Reads the machine code of a function's entry, as far as the decisions need it.
//!
//! Three questions: does `__rust_alloc` do nothing but jump to `__rdl_alloc`; was it compiled without optimisation; is
//! there room for a jump at an entry. Each asks for a pattern and says no when it sees anything else.

/// What a shim looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is one jump to this address.
    Jump(u64),
    /// It stores its arguments to the stack at once, which compilers do only without optimisation.
    Spills,
    /// Anything else.
    Other,
}

/// Looks at the code of `__rust_alloc(size, align)` that lies at `address`.
#[cfg(target_arch = "x86_64")]
pub(super) fn shape_of(code: &[u8], address: u64) -> Shape {
    let code = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).map_or((code, 0), |rest| (rest, 4)); // endbr64
    let (code, skipped) = code;
    if let [0xe9, rel @ ..] = code
        && let Some(rel) = rel.first_chunk::<4>()
    {
        let next = address.wrapping_add(skipped).wrapping_add(5);
        return Shape::Jump(next.wrapping_add_signed(i64::from(i32::from_le_bytes(*rel))));
    }
    // push rbp; mov rbp, rsp: where frame pointers are kept.
    let code = code.strip_prefix(&[0x55, 0x48, 0x89, 0xe5]).unwrap_or(code);
    // sub rsp, imm8; mov [rsp + disp8], rdi; mov [rsp + disp8], rsi, or the same relative to rbp.
    let spill = |code: &[u8], register: u8| -> Option<usize> {
        let modrm = *code.get(2)?;
        match (code.get(..2)?, modrm) {
            ([0x48, 0x89], modrm) if modrm == 0x44 | register << 3 && code.get(3) == Some(&0x24) => Some(5),
            ([0x48, 0x89], modrm) if modrm == 0x04 | register << 3 && code.get(3) == Some(&0x24) => Some(4),
            ([0x48, 0x89], modrm) if modrm == 0x45 | register << 3 => Some(4),
            _ => None,
        }
    };
    const RDI: u8 = 7;
    const RSI: u8 = 6;
    let spills = || {
        let code = code.strip_prefix(&[0x48, 0x83, 0xec])?.get(1..)?;
        let code = code.get(spill(code, RDI)?..)?;
        spill(code, RSI)
    };
    if spills().is_some() { Shape::Spills } else { Shape::Other }
}

/// On a machine whose code is not read here nothing is known of a shim.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn shape_of(_code: &[u8], _address: u64) -> Shape {
    Shape::Other
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
    fn shapes_of_shims() {
        let check = |code: &[u8], wanted| assert_eq!(shape_of(code, 0x1000), wanted);
        check(&[0xe9, 0x0b, 0, 0, 0], Shape::Jump(0x1010));
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 0xfb, 0xff, 0xff, 0xff], Shape::Jump(0x1004));
        check(&[0xe9, 0x0b], Shape::Other);
        check(&[], Shape::Other);
        let unoptimised =
            [0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x7c, 0x24, 0x08, 0x48, 0x89, 0x74, 0x24, 0x10];
        check(&unoptimised, Shape::Spills);
        check(&[&[0x55, 0x48, 0x89, 0xe5][..], &unoptimised].concat(), Shape::Spills);
        let framed =
            [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0x48, 0x89, 0x7d, 0xf0, 0x48, 0x89, 0x75, 0xf8];
        check(&framed, Shape::Spills);
        // mov rdx, rdi; lock add [rip + ..], rdi: a counting wrapper, optimised.
        check(&[0x48, 0x89, 0xfa, 0xf0, 0x48, 0x01, 0x3d, 0, 0, 0, 0], Shape::Other);
        // jmp [rip + ..]
        check(&[0xff, 0x25, 0, 0, 0, 0], Shape::Other);
    }
}
