#![forbid(unsafe_code)]
//! Any bytes are tables that are read to the end without a panic.

use super::{Cfa, Place, Section, Tables, evaluate};

/// Steps of an evaluation are bounded too: a table of jumps may not hang the reader.
const ENTRIES: usize = 1 << 12;

/// Reads `bytes` as the tables of a module: two bytes say how long the header is, the rest is header and frames.
pub fn fuzz(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (header, frames) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
    let header = Section { address: 0x1000, bytes: header };
    read(
        &Tables { header, frames: Section { address: 0x1000 + header.bytes.len() as u64, bytes: frames } },
        &[],
    );
}

/// Looks up `pcs` and the borders of every entry, and evaluates what the rows say. Returns the number of rows.
pub fn read(tables: &Tables<'_>, pcs: &[u64]) -> usize {
    let mut rows = Tables::frames_address(tables.header).map_or(0, |address| (address & 1) as usize);
    for pc in pcs.iter().copied().chain([0, 0x1000, u64::MAX]) {
        rows += usize::from(tables.row_at(pc).is_ok_and(|row| look(&row.cfa, &row.places)));
    }
    let mut left = ENTRIES;
    // An error ends the table, as its end does.
    let _ = tables.each(|entry| {
        for pc in [entry.start, entry.start.wrapping_add(entry.len / 2), entry.start.wrapping_add(entry.len)]
        {
            rows += usize::from(entry.row_at(pc).is_ok_and(|row| look(&row.cfa, &row.places)));
        }
        left -= 1;
        left == 0
    });
    rows
}

fn look(cfa: &Cfa<'_>, places: &[Place<'_>]) -> bool {
    let register = |number: u16| Some(u64::from(number) << 12);
    let read = |address: u64| Some(address.rotate_left(7));
    let mut sum = match cfa {
        Cfa::Register(number, offset) => u64::from(*number).wrapping_add(*offset as u64),
        Cfa::Expression(code) => evaluate(code, None, register, read).unwrap_or(0),
    };
    for place in places {
        if let Place::At(code) | Place::Is(code) = place {
            sum ^= evaluate(code, Some(sum), register, read).unwrap_or(1);
        }
    }
    core::hint::black_box(sum);
    true
}
