#![forbid(unsafe_code)]
//! What a module's file says about its allocator, gathered in one walk of its symbols.

use super::shim::is_padding;
use super::table::{Family, Hook, MARKERS, Meaning, meaning_of};
use crate::elf::{Elf, Symbol, Symbols};
use core::cell::Cell;

/// The bytes that a jump to anywhere takes (`jmp [rip + 0]` and the address).
pub(super) const JUMP_BYTES: u64 = 14;

/// No allocator has this many entries; a file that has more is not read to its end.
const SITES_MAX: usize = 192;

/// An entry that can be overwritten with a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it is, before the load base is added.
    pub address: u64,
    /// What stands in for it.
    pub hook: Hook,
    pub(super) family: Family,
    /// Whether the jump fits in it.
    pub(super) fits: bool,
}

/// One of the four `__rust_*` functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shim {
    pub(super) address: u64,
    pub(super) size_bytes: u64,
}

/// The facts that [`super::Plan`] is made from.
#[derive(Debug)]
pub struct Survey<'f> {
    pub(super) elf: Elf<'f>,
    sites: [Option<Site>; SITES_MAX],
    count: usize,
    pub(super) too_many: bool,
    /// The families that have a function without stand-in.
    pub(super) refused: [Option<Family>; 8],
    /// alloc, dealloc, realloc, alloc_zeroed
    pub(super) shims: [Option<Shim>; 4],
    /// In the order of [`FOR_CHECKERS`].
    for_checkers: [Option<u64>; FOR_CHECKERS.len()],
    /// `__rdl_alloc`, by which Rust calls `System`.
    pub(super) default_alloc: Option<u64>,
    /// std is a library of its own, which brings the shims.
    pub(super) needs_std: bool,
    pub(super) is_stripped: bool,
    pub(super) is_rust: bool,
    pub(super) is_program: bool,
    /// The loader binds its calls, so that its `malloc` is not the C library's linked in.
    pub(super) is_dynamic: bool,
    /// `System` needs `posix_memalign`; a Rust program without it allocates elsewhere.
    pub(super) has_memalign: bool,
    /// The runtime is linked in: the program's `malloc` is ours, or leads to the preloaded one.
    pub(super) has_runtime: bool,
    /// A string of a known allocator; looked for only when there are no symbols.
    pub(super) marker: bool,
}

/// What a program with the runtime in it asks the loader for; also when its symbols were stripped.
const PRELOADED: &[u8] = b"heapcheck_preloaded_malloc";

/// In the order of [`Survey::shims`]: the v0 names end so (the crate's hash before it changes), the old names are whole.
const SHIMS: [(&[u8], &[u8]); 4] = [
    (b"___rustc12___rust_alloc", b"__rust_alloc"),
    (b"___rustc14___rust_dealloc", b"__rust_dealloc"),
    (b"___rustc14___rust_realloc", b"__rust_realloc"),
    (b"___rustc19___rust_alloc_zeroed", b"__rust_alloc_zeroed"),
];

/// What a program may define for LeakSanitizer, and so for us.
const FOR_CHECKERS: [&[u8]; 3] =
    [b"__lsan_default_options", b"__lsan_is_turned_off", b"__lsan_default_suppressions"];

/// Reads what `elf` says about its allocator.
///
/// The C library, the loader, the runtime itself and a sanitizer's runtime are not to be asked about: they have
/// allocators of their own by right.
pub fn survey<'f>(elf: &Elf<'f>) -> Survey<'f> {
    let symbols = elf.symbols();
    let dynamic = elf.dynamic_symbols();
    let is_stripped = symbols.is_empty();
    let has_runtime = dynamic.imports(PRELOADED);
    let is_dynamic = elf.has_interpreter() || elf.needed().next().is_some();
    let mut survey = Survey {
        elf: *elf,
        sites: [None; SITES_MAX],
        count: 0,
        too_many: false,
        refused: [None; 8],
        shims: [None; 4],
        for_checkers: [None; FOR_CHECKERS.len()],
        default_alloc: None,
        needs_std: elf.needed().any(|name| name.starts_with(b"libstd-")),
        is_stripped,
        is_rust: false,
        is_program: elf.has_interpreter() || !is_dynamic,
        is_dynamic,
        has_runtime,
        has_memalign: has_runtime
            || dynamic.imports(b"posix_memalign")
            || symbols.find(b"posix_memalign").is_some(),
        marker: false,
    };
    // A stripped library still exports its functions by name.
    let named = if is_stripped { dynamic } else { symbols };
    let is_rust = Cell::new(false);
    for symbol in named.functions_if(|name| matters(name, &is_rust)) {
        survey.note(symbol);
    }
    survey.is_rust |= is_rust.get();
    if is_stripped {
        survey.note_strings();
    }
    survey.measure(&named);
    survey
}

/// Whether a function may be one that [`Survey::note`] looks for. `name` begins with its name and goes on behind it. The bulk
/// of a program has mangled Rust names, and says here that it is Rust.
fn matters(name: &[u8], is_rust: &Cell<bool>) -> bool {
    match name {
        [b'_', b'R', rest @ ..] => {
            is_rust.set(true);
            is_of_rustc(rest)
        }
        [b'_', b'Z', b'N', ..] => !is_rust.get(),
        _ => true,
    }
}

/// Whether a v0 name is that of something at the root of the crate `__rustc`, as all of [`SHIMS`] are: `NvC`, what tells crates
/// of one name apart (`s`, a number of base 62, `_`), and the crate (RFC 2603).
fn is_of_rustc(name: &[u8]) -> bool {
    let Some(path) = name.strip_prefix(b"NvC") else { return false };
    let number = path.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let path =
        if path.starts_with(b"s") { path[number..].strip_prefix(b"_").unwrap_or_default() } else { path };
    path.starts_with(b"7___rustc")
}

impl Survey<'_> {
    /// The entries of known allocators, each address once.
    pub(super) fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        self.sites.iter().take(self.count).flatten().copied()
    }

    /// The same program when all the Rust in it is the runtime itself.
    #[must_use]
    pub fn without_rust(self) -> Self {
        Self { is_rust: false, ..self }
    }

    fn note(&mut self, symbol: Symbol<'_>) {
        match meaning_of(symbol.name) {
            Some((family, Meaning::Refuse)) => {
                if let Some(free) = self.refused.iter_mut().find(|known| known.is_none_or(|it| it == family))
                {
                    *free = Some(family);
                }
            }
            // An indirect function has no entry, only a resolver: it can't be overwritten.
            Some((family, Meaning::Patch(hook))) => self.add(Site {
                address: symbol.address,
                hook,
                family,
                fits: symbol.size_bytes >= JUMP_BYTES && !symbol.is_indirect(),
            }),
            None => self.note_rust(symbol),
        }
    }

    fn add(&mut self, site: Site) {
        if self.sites().any(|known| known.address == site.address) {
            return;
        }
        match self.sites.get_mut(self.count) {
            Some(free) => {
                *free = Some(site);
                self.count += 1;
            }
            None => self.too_many = true,
        }
    }

    fn note_rust(&mut self, symbol: Symbol<'_>) {
        let shim = Shim { address: symbol.address, size_bytes: symbol.size_bytes };
        for (known, (suffix, whole)) in self.shims.iter_mut().zip(SHIMS) {
            if symbol.name == whole || symbol.name.ends_with(suffix) {
                *known = Some(shim);
            }
        }
        if symbol.name.starts_with(b"__lsan_") {
            for (known, name) in self.for_checkers.iter_mut().zip(FOR_CHECKERS) {
                if symbol.name == name {
                    *known = Some(symbol.address);
                }
            }
        }
        if symbol.name == b"__rdl_alloc" || symbol.name.ends_with(b"___rustc11___rdl_alloc") {
            self.default_alloc = Some(symbol.address);
        }
        self.is_rust |= symbol.name.starts_with(b"_R") || is_legacy_rust(symbol.name);
    }

    /// Whether a function that makes a [`core::alloc::Layout`] of a size and an alignment is at `address`: every
    /// optimisation inlines them into the shims.
    pub(super) fn is_of_layout(&self, address: u64) -> bool {
        self.elf.symbols().functions_at(address).any(|symbol| {
            (symbol.name.starts_with(b"_ZN4core5alloc6layout6Layout") || symbol.name.starts_with(b"_RNvM"))
                && contains(symbol.name, b"6Layout")
                && contains(symbol.name, b"from_size_align")
        })
    }

    /// Where the function of this name is that a program may define for a leak checker, before the load base is added.
    pub fn address_of(&self, name: &[u8]) -> Option<u64> {
        let at = FOR_CHECKERS.iter().position(|known| *known == name)?;
        *self.for_checkers.get(at)?
    }

    /// Whether there is a method of an allocator that is not `System`.
    pub(super) fn has_global_alloc(&self) -> bool {
        self.elf.symbols().iter().any(|symbol| {
            symbol.is_function() && contains(symbol.name, b"GlobalAlloc") && !contains(symbol.name, b"System")
        })
    }

    fn note_strings(&mut self) {
        let Some(strings) = self.elf.sections().find(|section| section.name == b".rodata") else { return };
        self.marker = MARKERS.iter().any(|marker| contains(strings.bytes, marker));
        // The source path of std, which panics print, by its commit in rust-lang/rust.
        self.is_rust = contains(strings.bytes, b"/rustc/");
    }

    /// Looks for room behind the functions that are shorter than a jump: linkers align functions to 16 bytes.
    fn measure(&mut self, named: &Symbols<'_>) {
        let elf = self.elf;
        for site in self.sites.iter_mut().flatten().filter(|site| !site.fits) {
            let end = site.address.saturating_add(JUMP_BYTES);
            let own = named.iter().filter(|symbol| symbol.is_function() && symbol.address == site.address);
            let Some(size_bytes) = own.map(|symbol| symbol.size_bytes).max().filter(|size| *size != 0) else {
                continue;
            };
            let neighbour = |symbol: Symbol<'_>| {
                symbol.is_function() && symbol.address > site.address && symbol.address < end
            };
            let rest =
                elf.bytes_at(site.address.saturating_add(size_bytes), JUMP_BYTES.saturating_sub(size_bytes));
            site.fits = rest.is_some_and(is_padding) && !named.iter().any(neighbour);
        }
    }
}

/// Whether `name` ends as Rust's older mangling does: `17h`, sixteen hexadecimal digits, `E`.
fn is_legacy_rust(name: &[u8]) -> bool {
    let hash = name.strip_suffix(b"E").and_then(|rest| rest.last_chunk::<19>());
    name.starts_with(b"_ZN")
        && hash.is_some_and(|hash| hash.starts_with(b"17h") && hash[3..].iter().all(u8::is_ascii_hexdigit))
}

/// Whether `wanted` stands in `bytes`. Most places are skipped by their last byte (Horspool), because a stripped program's
/// strings are megabytes and this runs before every `main`.
fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((last, before)) = wanted.split_last() else { return true };
    let mut skips = [wanted.len(); 256];
    for (index, byte) in before.iter().enumerate() {
        skips[usize::from(*byte)] = before.len() - index;
    }
    let mut end = before.len();
    while let Some(byte) = bytes.get(end) {
        if byte == last && bytes[..end].ends_with(before) {
            return true;
        }
        end += skips[usize::from(*byte)];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_are_told_by_their_mangling() {
        let check = |name: &str, wanted| assert_eq!(is_legacy_rust(name.as_bytes()), wanted, "{name}");
        check("_ZN3std2rt10lang_start17h0123456789abcdefE", true);
        check("_ZN3std2rt10lang_start17h0123456789abcdegE", false);
        check("_ZN5boost3fooE", false);
        check("", false);
    }

    #[test]
    fn names_that_cannot_matter_are_told_by_how_they_begin() {
        let check = |name: &str, wanted| {
            let name = format!("{name}\0_RNvCs1_7___rustc12___rust_alloc");
            let is_rust = Cell::new(name.starts_with("_ZN") || name.starts_with("_R"));
            assert_eq!(matters(name.as_bytes(), &is_rust), wanted, "{name}");
        };
        for (suffix, whole) in SHIMS {
            let suffix = str::from_utf8(suffix).unwrap();
            check(&format!("_RNvCshqQ8Zs0Oxu_7{}", &suffix[0..]), true);
            check(str::from_utf8(whole).unwrap(), true);
        }
        check("_RNvCshqQ8Zs0Oxu_7___rustc11___rdl_alloc", true);
        check("_RNvC7___rustc11___rdl_alloc", true);
        check("_RNvCs1_5suite2t1", false);
        check("_RNvNtCs1_5suite5tests2t1", false);
        check("_RNvC", false);
        check("_R", false);
        check("_ZN3std2rt10lang_start17h0123456789abcdefE", false);
        for name in ["malloc", "mi_malloc", "_Znwm", "_rjem_malloc", "__lsan_is_turned_off", "_Z", "_", ""] {
            check(name, true);
        }
    }

    #[test]
    fn a_string_is_found_wherever_it_stands() {
        assert!(contains(b"mmimalloc: ", b"mimalloc: "));
        assert!(contains(b"mimimimalloc: mim", b"mimalloc: "));
        assert!(contains(b"aab", b"ab") && contains(b"b", b"b") && !contains(b"aaaaab", b"abb"));
        assert!(!contains(b"mimalloc:", b"mimalloc: "));
        assert!(!contains(b"", b"m"));
    }

    #[test]
    fn the_test_binary_allocates_through_system() {
        let file = std::fs::read("/proc/self/exe").expect("the test binary can be read");
        let survey = survey(&Elf::parse(&file).expect("an ELF file"));
        assert!(survey.is_rust && survey.is_program && survey.is_dynamic && !survey.is_stripped);
        assert!(survey.has_memalign && survey.default_alloc.is_some());
        assert!(survey.shims.iter().all(Option::is_some));
        assert_eq!(survey.sites().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_judged_without_a_panic() {
        let mut file = std::fs::read("/proc/self/exe").expect("the test binary can be read");
        let sections_at = u64::from_le_bytes(file[40..48].try_into().expect("eight bytes")) as usize;
        for round in 0..200_usize {
            // From the headers, from the section headers, and from anywhere, in turn.
            let at = match round % 3 {
                0 => 16 + round * 7 % 700,
                1 => sections_at + round * 31 % (file.len() - sections_at),
                _ => round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % file.len(),
            };
            let kept = std::mem::replace(&mut file[at], if round % 2 == 0 { 0xff } else { 0 });
            if let Ok(elf) = Elf::parse(&file) {
                let survey = survey(&elf);
                let plan = super::super::Plan::of(&survey);
                plan.sites()
                    .for_each(|site| assert!(plan.code_of(&site).is_none_or(|code| code.len() == 14)));
            }
            file[at] = kept;
        }
    }
}
