#![forbid(unsafe_code)]
//! The build id in a block of notes, be it a section of a file or a `PT_NOTE` segment in memory.

use super::bytes::{slice, u32_at};

const NT_GNU_BUILD_ID: u32 = 3;

/// Finds the build id among `notes`: entries of name length, content length, kind, name, content, each padded to four.
pub fn build_id_of_notes(mut notes: &[u8]) -> Option<&[u8]> {
    while let (Some(name_len), Some(len), Some(kind)) = (u32_at(notes, 0), u32_at(notes, 4), u32_at(notes, 8))
    {
        let name = slice(notes, 12, u64::from(name_len))?;
        let at = 12 + u64::from(name_len).next_multiple_of(4);
        let content = slice(notes, at, u64::from(len))?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(content);
        }
        let end = usize::try_from(at + u64::from(len).next_multiple_of(4)).ok()?;
        notes = notes.get(end..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let mut notes = Vec::new();
        for (kind, name, content) in [(1_u32, &b"GNU\0"[..], &[9_u8; 6][..]), (3, b"GNU\0", &[1, 2, 3, 4])] {
            notes.extend((name.len() as u32).to_le_bytes());
            notes.extend((content.len() as u32).to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(name);
            notes.extend(content);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(build_id_of_notes(&notes), Some(&[1, 2, 3, 4][..]));
        assert_eq!(build_id_of_notes(&notes[..notes.len() - 1]), None);
        assert_eq!(build_id_of_notes(&[0xff; 40]), None);
    }

    #[test]
    fn the_c_library_has_the_same_build_id_in_sections_and_segments() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the map of the process");
        let Some(libc) = maps.split_whitespace().find(|word| word.contains("/libc.so")) else {
            println!("skipped: the C library is not a file of its own");
            return;
        };
        let mut file = std::fs::read(libc).expect("the C library can be read");
        let by_section = super::super::Elf::parse(&file).expect("an ELF file").build_id().map(<[u8]>::to_vec);
        assert!(by_section.is_some());
        // e_shoff, e_shnum: without sections only the segments are left.
        file[40..48].fill(0);
        file[60..62].fill(0);
        let elf = super::super::Elf::parse(&file).expect("an ELF file");
        assert_eq!(elf.build_id().map(<[u8]>::to_vec), by_section);
        assert!(elf.is_stripped());
    }
}
