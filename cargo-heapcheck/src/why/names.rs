#![forbid(unsafe_code)]
//! Names for data: the static or the thread-local variable at an address, from the symbol table of the file it lies in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::demangle_auto;
use heapcheck_rt::elf::Elf;

/// A variable: where it begins, how long it is, and what it is called.
#[derive(Debug)]
struct Variable {
    address: u64,
    bytes: u64,
    name: String,
}

/// The variables of a file, in order of their addresses.
#[derive(Debug, Default)]
struct File {
    statics: Vec<Variable>,
    /// Their addresses count from the beginning of the file's thread-local storage.
    thread_locals: Vec<Variable>,
}

/// The files that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    files: HashMap<PathBuf, File>,
}

impl Names {
    /// The static at an address of the file, and how far into it that lies.
    pub(crate) fn find_static(&mut self, path: &Path, address: u64) -> Option<(String, u64)> {
        find(&self.file(path).statics, address)
    }

    /// The same of the thread-local variable at an offset of the file's storage.
    pub(crate) fn find_thread_local(&mut self, path: &Path, offset: u64) -> Option<(String, u64)> {
        find(&self.file(path).thread_locals, offset)
    }

    fn file(&mut self, path: &Path) -> &File {
        self.files.entry(path.to_path_buf()).or_insert_with(|| read(path).unwrap_or_default())
    }
}

fn read(path: &Path) -> Option<File> {
    let bytes = fs::read(path).ok()?;
    let elf = Elf::parse(&bytes).ok()?;
    let symbols = if elf.symbols().is_empty() { elf.dynamic_symbols() } else { elf.symbols() };
    let mut file = File::default();
    for symbol in symbols.iter().filter(|symbol| symbol.size_bytes > 0) {
        let list = match (symbol.is_object(), symbol.is_thread_local()) {
            (true, _) => &mut file.statics,
            (_, true) => &mut file.thread_locals,
            _ => continue,
        };
        let name = String::from_utf8_lossy(symbol.name);
        list.push(Variable { address: symbol.address, bytes: symbol.size_bytes, name: readable(&name) });
    }
    file.statics.sort_by_key(|variable| variable.address);
    file.thread_locals.sort_by_key(|variable| variable.address);
    Some(file)
}

fn find(variables: &[Variable], address: u64) -> Option<(String, u64)> {
    let behind = variables.partition_point(|variable| variable.address <= address);
    let inside = variables[..behind].iter().rev().take(8).find(|it| address - it.address < it.bytes)?;
    Some((inside.name.clone(), address - inside.address))
}

/// A variable as its source names it: what `thread_local!` and the compiler put behind the name is left out.
fn readable(symbol: &str) -> String {
    let name = demangle_auto(Cow::Borrowed(symbol), None);
    let end = [name.find("::{"), name.find("::__"), name.rfind(".llvm.")].into_iter().flatten().min();
    let kept = &name[..end.unwrap_or(name.len())];
    // Compilers number the statics of functions (`cache.0`).
    kept.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('.').unwrap_or(kept).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_as_in_the_source() {
        let check = |symbol: &str, expected: &str| assert_eq!(readable(symbol), expected);
        check("table", "table");
        check("table.0", "table");
        check("v1.2", "v1");
        check("level2", "level2");
        check("_RNvCs1234_3app5CACHE", "app::CACHE");
        check("_RNvNCNKNvCs1234_3app4MINE0023___RUST_STD_INTERNAL_VAL", "app::MINE");
    }

    #[test]
    fn an_address_belongs_to_the_variable_around_it() {
        let variable = |address, bytes, name: &str| Variable { address, bytes, name: name.to_string() };
        let all = [variable(16, 8, "a"), variable(24, 40, "b"), variable(32, 8, "inside of b")];
        let found = |address| find(&all, address).map(|(name, offset)| format!("{name}+{offset}"));
        assert_eq!(found(15), None);
        assert_eq!(found(23).as_deref(), Some("a+7"));
        assert_eq!(found(32).as_deref(), Some("inside of b+0"));
        assert_eq!(found(48).as_deref(), Some("b+24"));
        assert_eq!(found(64), None);
    }
}
