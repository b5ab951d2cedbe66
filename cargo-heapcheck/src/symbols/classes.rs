#![forbid(unsafe_code)]
//! Classes of C++ objects without debug information: an object begins with a pointer into the table of virtual functions
//! of its class, which has a symbol.
//!
//! That alone is no proof. An object may be the first member of something else, or the first element of a buffer. But
//! the function that deletes an object of the class through a pointer to its base tells `operator delete` how many bytes
//! that frees (C++14, 5.3.5; Itanium C++ ABI 5.1.4: the deleting destructor, `D0`). When it is as many as the block has, the
//! block is that object and nothing besides. Where neither debug information nor its destructor tells how large an object is,
//! nothing is said.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use addr2line::demangle_auto;
use heapcheck_rt::elf::{Elf, Segment};

/// What the symbol of a table of virtual functions begins with.
const TABLE: &str = "_ZTV";
/// Before the place in the table that objects point to stand the distance to the object's beginning and its type.
const HEAD_BYTES: u64 = 16;
/// A segment that is loaded (gABI, program header).
const PT_LOAD: u32 = 1;
/// The longest deleting destructor that is looked through: all members may be inlined into it.
const DESTRUCTOR_BYTES_MAX: u64 = 64 << 10;

/// The files that were asked for.
#[derive(Default)]
pub(crate) struct Classes {
    files: HashMap<PathBuf, Tables>,
}

/// The tables of a file.
#[derive(Default)]
struct Tables {
    /// In order of their addresses.
    tables: Vec<Table>,
    segments: Vec<Segment>,
    /// The classes that were asked for, by the index of the table.
    known: HashMap<usize, Class>,
}

struct Table {
    address: u64,
    bytes: u64,
    /// The name of the class, as the linker knows it.
    class: String,
    /// Where its deleting destructor lies, and how long that is.
    destructor: Option<(u64, u64)>,
}

/// A class that was asked for.
pub(crate) struct Class {
    /// Its name in full.
    pub(crate) name: String,
    /// Numbers that its deleting destructor passes on as a second argument.
    sizes: Vec<u64>,
}

impl Classes {
    /// The class whose objects point to `address` of the file at `path`.
    pub(crate) fn find(&mut self, path: &Path, address: u64) -> Option<&Class> {
        let tables = self.files.entry(path.to_path_buf()).or_insert_with(|| read(path).unwrap_or_default());
        let behind = tables.tables.partition_point(|table| table.address <= address);
        let at = behind.checked_sub(1)?;
        let table = &tables.tables[at];
        let inside = address - table.address;
        if !(HEAD_BYTES..table.bytes).contains(&inside) {
            return None;
        }
        let segments = &tables.segments;
        Some(tables.known.entry(at).or_insert_with(|| Class {
            name: table.name(),
            sizes: table.destructor.map_or_else(Vec::new, |place| read_sizes(path, segments, place)),
        }))
    }
}

impl Class {
    /// Whether its deleting destructor says that an object has so many bytes.
    pub(crate) fn frees(&self, size: u64) -> bool {
        self.sizes.contains(&size)
    }
}

impl Table {
    fn name(&self) -> String {
        let symbol = format!("{TABLE}{}", self.class);
        let name = demangle_auto(Cow::Borrowed(&symbol), None);
        let class = name.strip_prefix("{vtable(").and_then(|rest| rest.strip_suffix(")}"));
        class.or_else(|| name.strip_prefix("vtable for ")).unwrap_or(&self.class).to_string()
    }
}

fn read(path: &Path) -> Option<Tables> {
    let bytes = fs::read(path).ok()?;
    let elf = Elf::parse(&bytes).ok()?;
    let symbols = if elf.symbols().is_empty() { elf.dynamic_symbols() } else { elf.symbols() };
    let mut tables = Vec::new();
    let mut destructors: HashMap<&str, (u64, u64)> = HashMap::new();
    for symbol in symbols.iter().filter(|symbol| symbol.size_bytes > 0) {
        let Ok(name) = std::str::from_utf8(symbol.name) else { continue };
        let place = (symbol.address, symbol.size_bytes);
        if let Some(class) = name.strip_prefix(TABLE) {
            tables.push((place, class));
        } else if let Some(class) = class_of_destructor(name) {
            destructors.insert(class, place);
        }
    }
    let mut tables: Vec<Table> = tables
        .into_iter()
        .map(|((address, bytes), class)| Table {
            address,
            bytes,
            class: class.to_string(),
            destructor: destructors.get(path_of(class)).copied(),
        })
        .collect();
    tables.sort_by_key(|table| table.address);
    Some(Tables {
        tables,
        segments: elf.segments().filter(|segment| segment.kind == PT_LOAD).collect(),
        known: HashMap::new(),
    })
}

/// What a class is called inside of a longer symbol: `N6shapes6CircleE` is `6shapes6Circle` there.
fn path_of(class: &str) -> &str {
    class.strip_prefix('N').and_then(|path| path.strip_suffix('E')).unwrap_or(class)
}

/// The class of a deleting destructor: `6shapes6Circle` of `_ZN6shapes6CircleD0Ev`.
fn class_of_destructor(symbol: &str) -> Option<&str> {
    symbol.strip_prefix("_ZN")?.strip_suffix("D0Ev")
}

/// The numbers that a function loads into the register of a second argument.
fn read_sizes(path: &Path, segments: &[Segment], (address, bytes): (u64, u64)) -> Vec<u64> {
    let bytes = bytes.min(DESTRUCTOR_BYTES_MAX);
    let read = || {
        let (segment, inside) = segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            (inside.checked_add(bytes)? <= segment.file_bytes).then_some((segment, inside))
        })?;
        let mut code = vec![0; usize::try_from(bytes).ok()?];
        File::open(path).ok()?.read_exact_at(&mut code, segment.offset.checked_add(inside)?).ok()?;
        Some(code)
    };
    sizes_in(&read().unwrap_or_default())
}

/// `mov esi, imm32` (Intel SDM 2, MOV: B8+rd id). Its five bytes may also be a part of another instruction, which then
/// has to have the very size of the block in it.
fn sizes_in(code: &[u8]) -> Vec<u64> {
    const MOV_ESI: u8 = 0xbe;
    let found = code.windows(5).filter(|window| window[0] == MOV_ESI);
    found.map(|window| u64::from(u32::from_le_bytes([window[1], window[2], window[3], window[4]]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destructor_belongs_to_the_class_of_its_table() {
        let check = |table: &str, destructor: &str| {
            let class = table.strip_prefix(TABLE).unwrap();
            assert_eq!(class_of_destructor(destructor), Some(path_of(class)));
        };
        check("_ZTV6Circle", "_ZN6CircleD0Ev");
        check("_ZTVN6shapes6CircleE", "_ZN6shapes6CircleD0Ev");
        check("_ZTV4PoolIiE", "_ZN4PoolIiED0Ev");
        check("_ZTVN6shapes4PoolIiEE", "_ZN6shapes4PoolIiED0Ev");
        check(
            "_ZTVSt23_Sp_counted_ptr_inplaceI4NodeSaIvELN9__gnu_cxx12_Lock_policyE2EE",
            "_ZNSt23_Sp_counted_ptr_inplaceI4NodeSaIvELN9__gnu_cxx12_Lock_policyE2EED0Ev",
        );
        assert_eq!(class_of_destructor("_ZN6CircleD1Ev"), None);
    }

    #[test]
    fn a_class_has_the_name_that_its_source_gave_it() {
        let check = |class: &str, expected: &str| {
            let table = Table { address: 0, bytes: 0, class: class.to_string(), destructor: None };
            assert_eq!(table.name(), expected);
        };
        check("6Circle", "Circle");
        check("N6shapes6CircleE", "shapes::Circle");
        check("N6shapes4PoolIiEE", "shapes::Pool<int>");
        check("N12_GLOBAL__N_16HiddenE", "(anonymous namespace)::Hidden");
        check(
            "St23_Sp_counted_ptr_inplaceIN6shapes4NodeESaIvELN9__gnu_cxx12_Lock_policyE2EE",
            "std::_Sp_counted_ptr_inplace<shapes::Node, std::allocator<void>, (__gnu_cxx::_Lock_policy)2>",
        );
    }

    #[test]
    fn the_size_is_what_is_passed_on() {
        // mov rbx, rdi; call ..; mov rdi, rbx; mov esi, 40; jmp ..
        let code =
            [0x48, 0x89, 0xfb, 0xe8, 0, 0, 0, 0, 0x48, 0x89, 0xdf, 0xbe, 0x28, 0, 0, 0, 0xe9, 0, 0, 0, 0];
        assert_eq!(sizes_in(&code), [40]);
        assert!(sizes_in(&code[..14]).is_empty() && sizes_in(&[]).is_empty());
    }
}
