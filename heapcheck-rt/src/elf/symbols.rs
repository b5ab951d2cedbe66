#![forbid(unsafe_code)]
//! A symbol table, and the two questions asked of it: where is this name, and what is at these addresses.
//!
//! A table of a large program holds a million entries. So it is walked, never copied or sorted, and many addresses are
//! looked up in one walk ([`resolve`]): the addresses are few and are sorted instead.

use super::bytes::{c_str, is_c_str, u16_at, u32_at, u64_at};

const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const STB_LOCAL: u8 = 0;
/// The bytes of an entry.
const ENTRY_BYTES: usize = 24;

/// A symbol table with its names. The fields are those of `Elf64_Sym` in elf(5).
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'f> {
    table: &'f [u8],
    names: &'f [u8],
}

/// One entry of a symbol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'f> {
    /// Its name; mangled, when its language mangles.
    pub name: &'f [u8],
    /// Where it lies, before the load base is added.
    pub address: u64,
    /// How long it is, 0 when the assembler was not told.
    pub size_bytes: u64,
    info: u8,
    section: u16,
}

impl Symbol<'_> {
    /// Whether it is a variable at a fixed address.
    pub fn is_object(&self) -> bool {
        self.is_defined() && self.info & 0xf == STT_OBJECT
    }

    /// Whether it is a thread-local variable; its address counts from the beginning of the file's storage.
    pub fn is_thread_local(&self) -> bool {
        self.is_defined() && self.info & 0xf == STT_TLS
    }

    /// Whether it names code that stands in this file.
    pub fn is_function(&self) -> bool {
        self.is_defined() && matches!(self.info & 0xf, STT_FUNC | STT_GNU_IFUNC)
    }

    /// Whether its address is that of a resolver, which the loader calls to learn where the function is.
    pub fn is_indirect(&self) -> bool {
        self.info & 0xf == STT_GNU_IFUNC
    }

    /// Whether it stands in this file, not only its name.
    pub fn is_defined(&self) -> bool {
        self.section != 0
    }

    /// Whether only its own object file could name it.
    pub fn is_local(&self) -> bool {
        self.info >> 4 == STB_LOCAL
    }
}

impl<'f> Symbols<'f> {
    /// The table of a file that has none.
    pub const EMPTY: Symbols<'static> = Symbols { table: &[], names: &[] };
    pub(super) fn new(table: &'f [u8], names: &'f [u8]) -> Symbols<'f> {
        Symbols { table, names }
    }

    /// Whether there is no symbol, as in a stripped file.
    pub fn is_empty(&self) -> bool {
        self.table.len() < 2 * ENTRY_BYTES
    }

    /// Every symbol, in the order of the file, except those whose name can't be read.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'f>> + use<'f> {
        self.chosen(|_| true)
    }

    /// Those that name code of this file. Only their names are looked at, which is what a walk costs.
    pub fn functions(&self) -> impl Iterator<Item = Symbol<'f>> + use<'f> {
        self.chosen(Symbol::is_function)
    }

    /// Those of them whose names may matter. That is told by what begins with the name, and does not end with it: to find the
    /// ends is what a walk over all names costs.
    pub fn functions_if<F: Fn(&[u8]) -> bool>(
        &self,
        matters: F,
    ) -> impl Iterator<Item = Symbol<'f>> + use<'f, F> {
        let names = self.names;
        self.entries()
            .filter(move |(name, symbol)| {
                symbol.is_function() && names.get(*name as usize..).is_some_and(&matters)
            })
            .filter_map(move |(name, symbol)| Some(Symbol { name: c_str(names, name)?, ..symbol }))
    }

    /// The functions at an address.
    pub fn functions_at(&self, address: u64) -> impl Iterator<Item = Symbol<'f>> + use<'f> {
        self.chosen(move |symbol| symbol.address == address && symbol.is_function())
    }

    /// The symbols that are chosen before their names are known.
    fn chosen<F: Fn(&Symbol<'f>) -> bool>(
        &self,
        is_chosen: F,
    ) -> impl Iterator<Item = Symbol<'f>> + use<'f, F> {
        let names = self.names;
        self.entries()
            .filter(move |(_, symbol)| is_chosen(symbol))
            .filter_map(move |(name, symbol)| Some(Symbol { name: c_str(names, name)?, ..symbol }))
    }

    /// Each symbol without its name, and where that stands.
    fn entries(&self) -> impl Iterator<Item = (u32, Symbol<'f>)> + use<'f> {
        self.table.as_chunks::<ENTRY_BYTES>().0.iter().filter_map(|entry| {
            let symbol = Symbol {
                name: &[],
                address: u64_at(entry, 8)?,
                size_bytes: u64_at(entry, 16)?,
                info: entry[4],
                section: u16_at(entry, 6)?,
            };
            Some((u32_at(entry, 0)?, symbol))
        })
    }

    /// Finds the symbol that is called `name` and stands in this file.
    pub fn find(&self, name: &[u8]) -> Option<Symbol<'f>> {
        let is_it = |(at, symbol): &(u32, Symbol<'_>)| symbol.is_defined() && is_c_str(self.names, *at, name);
        let (at, symbol) = self.entries().find(is_it)?;
        Some(Symbol { name: c_str(self.names, at)?, ..symbol })
    }

    /// Finds a symbol of this file whose name ends so.
    pub fn find_suffix(&self, suffix: &[u8]) -> Option<Symbol<'f>> {
        self.iter().find(|symbol| symbol.is_defined() && symbol.name.ends_with(suffix))
    }

    /// Whether this file wants `name` from another.
    pub fn imports(&self, name: &[u8]) -> bool {
        self.entries().any(|(at, symbol)| !symbol.is_defined() && is_c_str(self.names, at, name))
    }
}

/// An address, and the function that it lies in once [`resolve`] has found it.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'f> {
    /// The address, with the load base taken off.
    pub address: u64,
    /// The function.
    pub symbol: Option<Symbol<'f>>,
}

impl Lookup<'_> {
    /// An address that is still to be found.
    pub fn new(address: u64) -> Self {
        Lookup { address, symbol: None }
    }
}

/// Finds the functions of many addresses in one walk of the table, and leaves `lookups` sorted by address.
///
/// The innermost function that spans the address wins. Where none does, the nearest one below it that has no length
/// (assembly) is taken. One walk costs the symbols times the logarithm of the addresses.
pub fn resolve<'f>(symbols: &Symbols<'f>, lookups: &mut [Lookup<'f>]) {
    lookups.sort_unstable_by_key(|lookup| lookup.address);
    for symbol in symbols.functions() {
        let first = lookups.partition_point(|lookup| lookup.address < symbol.address);
        for lookup in lookups.get_mut(first..).unwrap_or(&mut []) {
            let inside = lookup.address - symbol.address;
            if symbol.size_bytes != 0 && inside >= symbol.size_bytes {
                break;
            }
            if lookup.symbol.is_none_or(|known| is_better(symbol, known)) {
                lookup.symbol = Some(symbol);
            }
        }
    }
}

/// Of two functions at or below an address: one with a length spans it, so it beats one without; then the nearer one
/// wins, then the name that other files can see (the local ones are aliases that compilers make).
fn is_better(symbol: Symbol<'_>, known: Symbol<'_>) -> bool {
    let rank = |symbol: Symbol<'_>| (symbol.size_bytes != 0, symbol.address, !symbol.is_local());
    rank(symbol) > rank(known)
}

#[cfg(test)]
mod tests {
    use super::super::Elf;
    use super::*;

    fn entry(name: u32, info: u8, section: u16, address: u64, size_bytes: u64) -> Vec<u8> {
        let mut entry = Vec::new();
        entry.extend(name.to_le_bytes());
        entry.extend([info, 0]);
        entry.extend(section.to_le_bytes());
        entry.extend(address.to_le_bytes());
        entry.extend(size_bytes.to_le_bytes());
        entry
    }

    #[test]
    fn the_innermost_function_wins_and_one_without_length_is_the_last_resort() {
        let names = b"\0outer\0inner\0start\0alias\0";
        let table = [
            entry(0, 0, 0, 0, 0),
            entry(13, 0x12, 1, 0x100, 0),
            entry(1, 0x12, 1, 0x200, 0x100),
            entry(7, 0x12, 1, 0x240, 0x10),
            entry(19, 0x02, 1, 0x240, 0x10),
        ]
        .concat();
        let symbols = Symbols::new(&table, names);
        let name_of = |address| {
            let mut lookup = [Lookup::new(address)];
            resolve(&symbols, &mut lookup);
            lookup[0].symbol.map(|symbol| symbol.name)
        };
        assert_eq!(name_of(0xff), None);
        assert_eq!(name_of(0x180), Some(&b"start"[..]));
        assert_eq!(name_of(0x23f), Some(&b"outer"[..]));
        assert_eq!(name_of(0x24f), Some(&b"inner"[..]));
        assert_eq!(name_of(0x250), Some(&b"outer"[..]));
        assert_eq!(name_of(0x300), Some(&b"start"[..]));
    }

    #[test]
    fn many_addresses_of_the_test_binary_resolve_as_one_by_one() {
        let file = std::fs::read("/proc/self/exe").expect("the test binary can be read");
        let symbols = Elf::parse(&file).expect("an ELF file").symbols();
        let functions: Vec<_> = symbols
            .iter()
            .filter(|symbol| symbol.is_function() && symbol.size_bytes > 2)
            .step_by(97)
            .collect();
        let mut lookups: Vec<_> = functions.iter().map(|symbol| Lookup::new(symbol.address + 1)).collect();
        resolve(&symbols, &mut lookups);
        for lookup in lookups {
            let best = lookup.symbol.expect("the address came from a function");
            let spans = |symbol: &Symbol<'_>| {
                symbol.is_function()
                    && symbol.address <= lookup.address
                    && lookup.address < symbol.address + symbol.size_bytes
            };
            assert_eq!(Some(best.address), symbols.iter().filter(spans).map(|symbol| symbol.address).max());
        }
    }

    #[test]
    fn the_c_library_exports_malloc_and_the_test_binary_imports_it() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the map of the process");
        let libc =
            maps.split_whitespace().find(|word| word.contains("/libc.so")).expect("a dynamic C library");
        let libc = std::fs::read(libc).expect("the C library can be read");
        let malloc = Elf::parse(&libc).expect("an ELF file").dynamic_symbols().find(b"malloc");
        assert!(malloc.expect("malloc").is_function());
        let file = std::fs::read("/proc/self/exe").expect("the test binary can be read");
        let elf = Elf::parse(&file).expect("an ELF file");
        assert!(elf.dynamic_symbols().imports(b"malloc"));
        assert!(elf.symbols().find_suffix(b"12___rust_alloc").is_some());
    }
}
