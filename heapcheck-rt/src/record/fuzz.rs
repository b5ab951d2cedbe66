#![forbid(unsafe_code)]
//! What a fuzzer of the reader calls, in the unit tests and in `tests/fuzz`.
//!
//! Seals stop nearly all damage at the door, so that random bytes never get to the fields behind. Here bytes are
//! also *resealed*: laid out as a record whose seals are right and whose contents are anything.

use super::read::read;
use super::wire::{FILE_HEADER_BYTES, ITEM_HEADER_BYTES, MAGIC, MAJOR, Seal, tag};

/// Reads `bytes` as they are and resealed. It returns, whatever they are.
pub fn check(bytes: &[u8]) {
    for file in [bytes.to_vec(), resealed(bytes)] {
        match read(&file) {
            Ok(record) => {
                assert!(record.args().count() <= file.len());
                let pcs: usize = record.traces.iter().map(|trace| trace.pcs.len()).sum();
                assert!(pcs * 8 <= file.len());
                for contents in record.checks.iter().flat_map(|found| &found.contents) {
                    assert_eq!(contents.words.len(), contents.known.count_ones() as usize);
                }
            }
            Err(error) => assert!(error.offset <= file.len() && !error.to_string().is_empty()),
        }
    }
}

/// Makes a record of `bytes`: its words are kept, but for the magic, the version and every seal.
pub fn resealed(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    file.resize(file.len().next_multiple_of(8).max(FILE_HEADER_BYTES), 0);
    file[..8].copy_from_slice(&MAGIC);
    file[8..10].copy_from_slice(&MAJOR.to_le_bytes());
    let mut seal = Seal::new();
    seal.absorb_bytes(&file[..FILE_HEADER_BYTES]);
    let mut at = FILE_HEADER_BYTES;
    while at + ITEM_HEADER_BYTES <= file.len() {
        seal.absorb_bytes(&file[at..at + 8]);
        file[at + 8..at + ITEM_HEADER_BYTES].copy_from_slice(&seal.value().to_le_bytes());
        let length = u32::from_le_bytes([file[at + 4], file[at + 5], file[at + 6], file[at + 7]]);
        let is_end = u16::from_le_bytes([file[at], file[at + 1]]) == tag::END;
        let payload = at + ITEM_HEADER_BYTES;
        at = payload.saturating_add((length as usize).next_multiple_of(8));
        if at > file.len() {
            break;
        }
        seal.absorb_bytes(&file[payload..at]);
        if is_end {
            file.truncate(at);
            file.extend(seal.value().to_le_bytes());
        }
    }
    file
}
