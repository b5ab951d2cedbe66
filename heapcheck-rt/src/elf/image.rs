#![forbid(unsafe_code)]
//! One ELF file: its header, program headers and section headers.
//!
//! Field offsets are those of `Elf64_Ehdr`, `Elf64_Phdr` and `Elf64_Shdr` in elf(5).

use super::bytes::{c_str, clamped, slice, u16_at, u32_at, u64_at};
use super::notes::build_id_of_notes;
use super::symbols::Symbols;

const EHDR_BYTES: usize = 64;
const PHDR_BYTES: usize = 56;
const SHDR_BYTES: usize = 64;
const SYM_BYTES: u64 = 24;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SHT_DYNAMIC: u32 = 6;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;

/// Why a slice is no file that can be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not begin as an ELF file.
    NotElf,
    /// It is an ELF file of 32 bits or of the other byte order.
    OtherClass,
    /// Its header is cut off.
    Truncated,
}

/// A file that begins with a valid header.
#[derive(Clone, Copy, Debug)]
pub struct Elf<'f> {
    file: &'f [u8],
    segment_table: &'f [u8],
    segment_bytes: usize,
    section_table: &'f [u8],
    section_bytes: usize,
    section_names: &'f [u8],
}

/// A program header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// `PT_*`.
    pub kind: u32,
    /// `PF_*`.
    pub flags: u32,
    /// Where its bytes are in the file.
    pub offset: u64,
    /// Where its bytes go in memory, before the load base is added.
    pub address: u64,
    /// How many bytes the file holds.
    pub file_bytes: u64,
    /// How many bytes it takes in memory.
    pub memory_bytes: u64,
}

/// A section header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'f> {
    /// Its name, empty when the name can't be read.
    pub name: &'f [u8],
    /// `SHT_*`.
    pub kind: u32,
    /// `SHF_*`.
    pub flags: u64,
    /// Where it lies in memory, before the load base is added; 0 when it isn't loaded.
    pub address: u64,
    /// What the file holds of it.
    pub bytes: &'f [u8],
    /// The index of the section that this one belongs to, by its kind.
    pub link: u32,
}

impl<'f> Elf<'f> {
    /// Reads the header of `file`.
    pub fn parse(file: &'f [u8]) -> Result<Elf<'f>, Error> {
        if !file.starts_with(b"\x7fELF") {
            return Err(Error::NotElf);
        }
        if file.get(4..6).ok_or(Error::Truncated)? != [2, 1] {
            return Err(Error::OtherClass);
        }
        let header = file.get(..EHDR_BYTES).ok_or(Error::Truncated)?;
        Elf::of_header(file, header).ok_or(Error::Truncated)
    }

    fn of_header(file: &'f [u8], header: &[u8]) -> Option<Elf<'f>> {
        let segment_bytes = usize::from(u16_at(header, 54)?);
        let segment_len = u64::from(u16_at(header, 56)?) * segment_bytes as u64;
        let section_bytes = usize::from(u16_at(header, 58)?);
        let section_at = u64_at(header, 40)?;
        // A file with more than 65279 sections keeps their number, and the index of the names, in section 0 (elf(5)).
        let first = slice(file, section_at, SHDR_BYTES as u64).unwrap_or(&[]);
        let section_count = match u16_at(header, 60)? {
            0 if section_at != 0 => u64_at(first, 32).unwrap_or(0),
            count => u64::from(count),
        };
        let names_index = match u16_at(header, 62)? {
            0xffff => u32_at(first, 40).unwrap_or(0),
            index => u32::from(index),
        };
        let mut elf = Elf {
            file,
            segment_table: clamped(file, u64_at(header, 32)?, segment_len),
            segment_bytes,
            section_table: clamped(file, section_at, section_count.saturating_mul(section_bytes as u64)),
            section_bytes,
            section_names: &[],
        };
        elf.section_names = elf.section(names_index).map_or(&[][..], |section| section.bytes);
        Some(elf)
    }

    /// The program headers, in the order of the file.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + use<'f> {
        let stride = if self.segment_bytes < PHDR_BYTES { usize::MAX } else { self.segment_bytes };
        self.segment_table.chunks(stride).filter_map(|header| {
            Some(Segment {
                kind: u32_at(header, 0)?,
                flags: u32_at(header, 4)?,
                offset: u64_at(header, 8)?,
                address: u64_at(header, 16)?,
                file_bytes: u64_at(header, 32)?,
                memory_bytes: u64_at(header, 40)?,
            })
        })
    }

    /// The section headers, in the order of the file. A stripped file may have none.
    pub fn sections(&self) -> impl Iterator<Item = Section<'f>> + use<'f> {
        let elf = *self;
        let count =
            if self.section_bytes < SHDR_BYTES { 0 } else { self.section_table.len() / self.section_bytes };
        (0..u32::try_from(count).unwrap_or(u32::MAX)).filter_map(move |index| elf.section(index))
    }

    /// The section with this index.
    pub fn section(&self, index: u32) -> Option<Section<'f>> {
        if self.section_bytes < SHDR_BYTES {
            return None;
        }
        let begin = (index as usize).checked_mul(self.section_bytes)?;
        let header = self.section_table.get(begin..begin.checked_add(SHDR_BYTES)?)?;
        let kind = u32_at(header, 4)?;
        let bytes = match kind {
            SHT_NOBITS => &[][..],
            _ => clamped(self.file, u64_at(header, 24)?, u64_at(header, 32)?),
        };
        Some(Section {
            name: c_str(self.section_names, u32_at(header, 0)?).unwrap_or(&[]),
            kind,
            flags: u64_at(header, 8)?,
            address: u64_at(header, 16)?,
            bytes,
            link: u32_at(header, 40)?,
        })
    }

    /// The `len` bytes that are loaded at `address`, as the file holds them, that is before relocation.
    pub fn bytes_at(&self, address: u64, len: u64) -> Option<&'f [u8]> {
        let holds = |segment: &Segment| {
            let inside = address.checked_sub(segment.address);
            segment.kind == PT_LOAD
                && inside
                    .and_then(|inside| inside.checked_add(len))
                    .is_some_and(|end| end <= segment.file_bytes)
        };
        let segment = self.segments().find(holds)?;
        slice(self.file, segment.offset.checked_add(address - segment.address)?, len)
    }

    /// Whether the dynamic loader starts it, and so reads `LD_PRELOAD`.
    pub fn has_interpreter(&self) -> bool {
        self.segments().any(|segment| segment.kind == PT_INTERP)
    }

    /// The full symbol table, which nothing at run time needs and which `strip` takes away.
    pub fn symbols(&self) -> Symbols<'f> {
        self.symbols_of(SHT_SYMTAB)
    }

    /// The symbols that the dynamic loader binds by.
    pub fn dynamic_symbols(&self) -> Symbols<'f> {
        self.symbols_of(SHT_DYNSYM)
    }

    fn symbols_of(&self, kind: u32) -> Symbols<'f> {
        let table = self.sections().find(|section| section.kind == kind);
        table.map_or(Symbols::EMPTY, |table| {
            let names = self.section(table.link).map_or(&[][..], |names| names.bytes);
            Symbols::new(clamped(table.bytes, 0, table.bytes.len() as u64 / SYM_BYTES * SYM_BYTES), names)
        })
    }

    /// Whether the full symbol table is gone.
    pub fn is_stripped(&self) -> bool {
        self.symbols().is_empty()
    }

    /// The build id that the linker wrote, from whichever headers are there.
    pub fn build_id(&self) -> Option<&'f [u8]> {
        let file = self.file;
        let of_section = |section: Section<'f>| {
            (section.kind == SHT_NOTE).then(|| build_id_of_notes(section.bytes)).flatten()
        };
        let of_segment = |segment: Segment| {
            (segment.kind == PT_NOTE)
                .then(|| build_id_of_notes(clamped(file, segment.offset, segment.file_bytes)))
                .flatten()
        };
        self.sections().find_map(of_section).or_else(|| self.segments().find_map(of_segment))
    }

    /// The names of the libraries that the dynamic loader must load for it (`DT_NEEDED`).
    pub fn needed(&self) -> impl Iterator<Item = &'f [u8]> + use<'f> {
        let table = self.sections().find(|section| section.kind == SHT_DYNAMIC);
        let names = table.and_then(|table| self.section(table.link)).map_or(&[][..], |names| names.bytes);
        let entries = table.map_or(&[][..], |table| table.bytes).chunks_exact(16);
        entries
            .map_while(|entry| Some((u64_at(entry, 0).filter(|tag| *tag != DT_NULL)?, u64_at(entry, 8)?)))
            .filter(|(tag, _)| *tag == DT_NEEDED)
            .filter_map(move |(_, at)| c_str(names, u32::try_from(at).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_file() -> Vec<u8> {
        std::fs::read("/proc/self/exe").expect("the test binary can be read")
    }

    #[test]
    fn the_test_binary_is_dynamic_and_has_symbols() {
        let file = own_file();
        let elf = Elf::parse(&file).expect("the test binary is an ELF file");
        assert!(elf.has_interpreter());
        assert!(!elf.is_stripped());
        assert!(elf.sections().any(|section| section.name == b".text"));
        assert!(elf.needed().any(|name| name.starts_with(b"libc.so")));
    }

    #[test]
    fn loaded_bytes_are_found_by_their_address() {
        let file = own_file();
        let elf = Elf::parse(&file).expect("the test binary is an ELF file");
        let text = elf.sections().find(|section| section.name == b".text").expect("code");
        assert_eq!(elf.bytes_at(text.address, 64), Some(&text.bytes[..64]));
        assert_eq!(elf.bytes_at(u64::MAX - 3, 64), None);
    }

    #[test]
    fn what_is_no_elf_file_is_told_apart() {
        assert_eq!(Elf::parse(b"").unwrap_err(), Error::NotElf);
        assert_eq!(Elf::parse(b"#!/bin/sh").unwrap_err(), Error::NotElf);
        assert_eq!(Elf::parse(b"\x7fELF").unwrap_err(), Error::Truncated);
        assert_eq!(Elf::parse(b"\x7fELF\x01\x01\x01").unwrap_err(), Error::OtherClass);
        assert_eq!(Elf::parse(b"\x7fELF\x02\x01\x01").unwrap_err(), Error::Truncated);
    }
}
