#![forbid(unsafe_code)]
//! Reads ELF64 files: what a module is called by its linker, which symbols it has, what it needs.
//!
//! The runtime asks before `main` which allocator the program was linked with, and the plain report asks for the names
//! of a few hundred addresses; both answers stand in the file on disk, because `.symtab` is never loaded. So the whole
//! file is mapped and read here as one slice of bytes.
//!
//! A file may be damaged, truncated, or replaced while the program runs. Nothing read from it is trusted: every offset
//! is checked against the slice, every table is clamped to what the slice holds, and a part that can't be read is
//! absent. Nothing here panics or allocates, and every loop is bounded by the length of the file.
//!
//! Not here: DWARF (the tool's), `.eh_frame` (the unwinder's), relocations, and formats other than 64-bit little-endian.

mod bytes;
mod symbols;
mod notes;
mod image;
#[cfg(test)]
mod fuzz;

pub use image::{Elf, Error, Section, Segment};
pub use notes::build_id_of_notes;
pub use symbols::{Lookup, Symbol, Symbols, resolve};
