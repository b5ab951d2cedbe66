#![forbid(unsafe_code)]
//! Damage: a real file with a few bytes changed, or cut off, is read to the end without a panic.
//!
//! The file is the C library: it has every table, and it is small enough for thousands of rounds. The damage is drawn
//! from a fixed seed, half of it from the header and the section headers, where it reaches furthest.

use super::{Elf, Lookup, resolve};

const ROUNDS: u32 = 4000;

fn random(state: &mut u64) -> u64 {
    // xorshift64*
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

fn read_all(file: &[u8]) -> u64 {
    let Ok(elf) = Elf::parse(file) else { return 0 };
    let mut seen = elf.sections().map(|section| section.name.len() as u64).sum::<u64>();
    seen += elf
        .segments()
        // Each is looked for among all, and a damaged count makes tens of thousands of the file.
        .take(64)
        .filter_map(|it| elf.bytes_at(it.address, it.file_bytes))
        .map(|it| it.len() as u64)
        .sum::<u64>();
    seen += elf.build_id().map_or(0, |id| id.len() as u64) + elf.needed().count() as u64;
    let mut lookups = [0, 1, 0x2_0000, 0x10_0000, u64::MAX].map(Lookup::new);
    for symbols in [elf.symbols(), elf.dynamic_symbols()] {
        resolve(&symbols, &mut lookups);
        seen += u64::from(symbols.find(b"malloc").is_some());
    }
    seen
}

#[test]
fn a_damaged_file_is_read_without_a_panic() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the map of the process");
    let libc = maps.split_whitespace().find(|word| word.contains("/libc.so")).unwrap_or("/proc/self/exe");
    let whole = std::fs::read(libc).expect("the C library can be read");
    let seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut state = seed;
    let sections_at = u64::from_le_bytes(whole[40..48].try_into().expect("eight bytes")) as usize;
    let mut file = whole.clone();
    let mut readable = 0;
    for _ in 0..ROUNDS {
        let mut changed = Vec::new();
        for _ in 0..1 + random(&mut state) % 4 {
            let at = match random(&mut state) % 4 {
                0 => 16 + random(&mut state) as usize % 700,
                1 => sections_at + random(&mut state) as usize % (whole.len() - sections_at),
                _ => random(&mut state) as usize % whole.len(),
            };
            changed.push(at);
            file[at] = match random(&mut state) % 3 {
                0 => 0xff,
                1 => 0,
                _ => random(&mut state) as u8,
            };
        }
        let end = if random(&mut state).is_multiple_of(8) {
            random(&mut state) as usize % whole.len()
        } else {
            whole.len()
        };
        readable += u32::from(read_all(&file[..end]) > 0);
        for at in changed {
            file[at] = whole[at];
        }
    }
    assert!(readable > ROUNDS / 2, "the damage left too little to read: {readable} of {ROUNDS}");
}
