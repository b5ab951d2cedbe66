#![forbid(unsafe_code)]
//! Types of leaked blocks, and the fields that their pointers lie in, from debug information.
//!
//! A file is opened when the first block of it is asked for, and of it only the units are read in which the asked
//! functions and types lie.

mod names;
mod sections;
mod file;
mod function;
mod owner;
mod sites;
mod layout;
mod padding;
mod raw;
mod spelled;
mod scope;
mod library;
mod made;
mod foreign;
mod path;
mod field;
mod variable;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::code::Sources;
use crate::cpp;
use crate::types::file::{Die, File, Language};
use crate::types::foreign::{Called, is_foreign};
use crate::types::function::{Function, Functions, Named, read_generics};
use crate::types::layout::Layouts;
use crate::types::owner::{Held, Owned, find_owner};
use crate::types::scope::Scopes;
use crate::types::sites::Sites;
use crate::types::variable::find_type;

pub(crate) use crate::types::field::{Chosen, Hold, Ways};
pub(crate) use crate::types::variable::Variable;

/// Frames that are looked at: containers in containers are not deeper.
const FRAMES_MAX: usize = 64;

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The type that owns it, as a person writes it.
    pub(crate) short: String,
    /// The same with the modules of everything.
    pub(crate) full: String,
    owned: Owned,
    /// The size of each of the elements that lie in it.
    stride: u64,
}

impl Typed {
    /// Whether a pointer at this offset is one by which a container of C++ holds its parts together, and not a value
    /// that somebody has put into it.
    pub(crate) fn is_link(&self, offset: u64) -> bool {
        let name = self.owned.name.as_str();
        match &self.owned.held {
            Held::Node(links, _) => offset < *links && !name.starts_with("std::shared_ptr<"),
            // The buckets of a hash table.
            Held::Slice(_) => name.starts_with("std::unordered_"),
            _ => false,
        }
    }

    /// Where in an element of it `offset` lies, if it is a block of `size` bytes.
    pub(crate) fn within_element(&self, size: u64, offset: u64) -> Option<u64> {
        field::within_element(&self.owned.held, self.stride, size, offset)
    }
}

/// A call of a stack.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The file with the debug information of the code, and the address of the call in it.
    pub(crate) place: Option<(&'a Path, u64)>,
    /// The functions there, the innermost first.
    pub(crate) lines: Vec<Line<'a>>,
}

/// A function of a call by its symbol, which counts where there is no debug information; and where in it the call is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// The function, demangled.
    pub(crate) function: &'a str,
    /// The function, as the linker knows it.
    pub(crate) linkage: Option<&'a str>,
    /// The source file.
    pub(crate) file: Option<&'a str>,
    /// The line in it.
    pub(crate) line: Option<u32>,
    /// The column in that.
    pub(crate) column: Option<u32>,
    /// Whether it is the program's allocator, or a part of it.
    pub(crate) is_allocator: bool,
}

/// The sizes of all blocks that come from one trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The smallest and the largest.
    least: u64,
    most: u64,
    /// What all of them are multiples of.
    divisor: u64,
    /// What they differ by is a multiple of this.
    spread: u64,
}

impl Sizes {
    /// That of one block.
    pub(crate) fn of_one(size: u64) -> Self {
        let mut sizes = Self::default();
        sizes.add(size);
        sizes
    }

    /// Adds a block.
    pub(crate) fn add(&mut self, size: u64) {
        let divisor = |mut a: u64, mut b: u64| {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        let is_first = self.divisor == 0 && self.most == 0;
        self.spread = if is_first { 0 } else { divisor(self.spread, size.abs_diff(self.most)) };
        self.least = if is_first { size } else { self.least.min(size) };
        self.most = self.most.max(size);
        self.divisor = divisor(self.divisor, size);
    }

    /// Adds blocks of which only the sum and the largest are known.
    pub(crate) fn add_all(&mut self, blocks: u64, bytes: u64, largest: u64) {
        self.add(largest);
        if largest.checked_mul(blocks) != Some(bytes) {
            // Some are smaller, and nobody knows by how much.
            self.add(1);
        }
    }

    /// That of all blocks, if it is the same.
    pub(crate) fn only(self) -> Option<u64> {
        (self.least == self.most).then_some(self.least)
    }

    fn least(self) -> u64 {
        self.least
    }

    /// Whether each block is as large as one thing of this size.
    fn is_always(self, size: u64) -> bool {
        size > 0 && (self.least, self.most) == (size, size)
    }

    /// Whether each block has room for a whole number of things of this size behind so many bytes.
    fn fit_behind(self, bytes: u64, size: u64) -> bool {
        let room = self.least.checked_sub(bytes);
        size > 0 && room.is_some_and(|room| room.is_multiple_of(size)) && self.spread.is_multiple_of(size)
    }

    /// Whether each block is one thing of this size, or has room for a whole number of them.
    fn fit(self, size: u64, is_many: bool) -> bool {
        match is_many {
            true => size > 0 && self.divisor > 0 && self.divisor.is_multiple_of(size),
            false => self.is_always(size),
        }
    }
}

/// The files with debug information, and what was found in them.
#[derive(Default)]
pub(crate) struct Types {
    /// The number of each file that was asked for; none when it has no debug information.
    numbers: HashMap<PathBuf, Option<usize>>,
    opened: Vec<Opened>,
    /// The source files that were read.
    pub(crate) sources: Sources,
}

/// A file, and what was found in it.
struct Opened {
    file: File,
    functions: Functions,
    sites: Sites,
    layouts: Layouts,
    scopes: Scopes,
    chains: HashMap<u64, Rc<[Rc<Function>]>>,
}

impl Types {
    /// Finds the type of the blocks that a trace has allocated, whose sizes are `sizes`. Its calls are `calls`, innermost
    /// first; `shown` writes the path of a source file as a person does.
    pub(crate) fn find<'a>(
        &mut self,
        calls: &[Call<'a>],
        sizes: Sizes,
        shown: fn(&str) -> String,
    ) -> Option<Typed> {
        let mut calls = calls.iter().take(FRAMES_MAX);
        let mut read: Vec<Called<'a>> = Vec::new();
        // Of most traces the innermost functions are enough; and those who allocate say in which language that is.
        for call in calls.by_ref() {
            let from = read.len();
            self.read(call, &mut read);
            if read[from..].iter().any(|called| !called.function.is_allocator()) {
                break;
            }
        }
        let is_foreign = read.iter().find(|called| !called.function.is_allocator()).is_some_and(is_foreign);
        if is_foreign {
            calls.for_each(|call| self.read(call, &mut read));
            return self.find_foreign(&read, sizes);
        }
        let mut rest = calls.flat_map(|call| {
            let mut read = Vec::new();
            self.read(call, &mut read);
            read
        });
        let inner: Vec<Rc<Function>> = read.iter().map(|called| Rc::clone(&called.function)).collect();
        let mut functions: Vec<Rc<Function>> = Vec::new();
        let all = inner.into_iter().chain(rest.by_ref().map(|called| called.function));
        let owned = find_owner(all.inspect(|function| functions.push(Rc::clone(function))));
        let owned = match owned {
            Some(owned) => owned,
            None => {
                functions.extend(rest.map(|called| called.function).take(raw::ALL_FUNCTIONS_MAX));
                raw::find_owner(&functions, &mut self.opened, sizes)?
            }
        };
        let short = self.short_name(&owned, shown);
        let full = names::full(&owned.name);
        Some(self.typed(owned, short, full))
    }

    /// The same of what C or C++ has allocated.
    fn find_foreign(&mut self, calls: &[Called<'_>], sizes: Sizes) -> Option<Typed> {
        let owned = foreign::find_owner(calls, &mut self.opened, &mut self.sources, sizes)?;
        let (short, full) = (cpp::brief(&owned.name), cpp::short(&owned.name));
        Some(self.typed(owned, short, full))
    }

    /// What blocks of these sizes are that are objects of this class of C++, when debug information describes it at one of the
    /// calls that allocated them: a file and an address in it.
    pub(crate) fn described_class(
        &mut self,
        name: &str,
        calls: &[(Rc<Path>, u64)],
        sizes: Sizes,
    ) -> Option<Typed> {
        // What the library has made there, its pointers own.
        let is_own = !name.starts_with("std::");
        let (die, written) =
            calls.iter().filter(|_| is_own).take(FRAMES_MAX).find_map(|(path, address)| {
                let number = self.number_of(path)?;
                let Opened { file, scopes, .. } = &mut self.opened[number];
                let unit = file.find_function(*address)?.unit();
                let die = scopes.named(file, unit, name)?;
                Some((die, scope::written(file, die)?))
            })?;
        let Opened { file, layouts, .. } = &mut self.opened[die.file()];
        let layout = layouts.read(file, die).filter(|layout| sizes.is_always(layout.size))?;
        let held = Held::One(Named { name: layout.name.clone(), die: Some(die) });
        let (short, full) = (cpp::brief(&written), cpp::short(&written));
        Some(self.typed(Owned { name: written, held }, short, full))
    }

    /// What a block is that is one object of this class of C++, of which nothing else is known.
    pub(crate) fn of_class(&mut self, name: &str) -> Typed {
        let owned = library::owned_by_class(name);
        let (short, full) = (cpp::brief(&owned.name), cpp::short(&owned.name));
        self.typed(owned, short, full)
    }

    fn typed(&mut self, owned: Owned, short: String, full: String) -> Typed {
        let stride = owned.held.element().die.and_then(|die| {
            let Opened { file, layouts, .. } = &mut self.opened[die.file()];
            layouts.read(file, die).map(|layout| layout.size)
        });
        Typed { short, full, owned, stride: stride.unwrap_or(0) }
    }

    /// Reads the functions of a call: by debug information, else by their symbols.
    fn read<'a>(&mut self, call: &Call<'a>, into: &mut Vec<Called<'a>>) {
        // What stands below everything says nothing of it.
        if call.lines.iter().all(|line| line.is_allocator) {
            return;
        }
        let place = call.place.and_then(|(path, address)| {
            let number = self.number_of(path)?;
            let opened = &mut self.opened[number];
            let find = || opened.functions.find(&mut opened.file, address).into();
            let chain: &Rc<[Rc<Function>]> = opened.chains.entry(address).or_insert_with(find);
            Some((number, address, Rc::clone(chain))).filter(|(.., chain)| !chain.is_empty())
        });
        match place {
            Some((number, address, chain)) => {
                let outermost = chain.len() - 1;
                let is_same = chain.len() == call.lines.len();
                let is_allocator =
                    |at: usize| call.lines.get(at).is_some_and(|line| is_same && line.is_allocator);
                // Lines without types do not even say which class a function is of; its symbol does.
                let by_symbol = |function: &Rc<Function>, line: Option<&Line<'_>>| {
                    let is_bare = function.language == Language::Cpp
                        && function.of.is_none()
                        && function.module.is_empty();
                    let line = line.filter(|line| {
                        is_bare && is_same && line.linkage.is_some_and(|name| name.starts_with("_ZN"))
                    });
                    let placed = line.map(|line| library::read_text(line.function));
                    placed.filter(library::is_library).map_or_else(|| Rc::clone(function), Rc::new)
                };
                let chain = chain.iter().enumerate().filter(|(at, _)| !is_allocator(*at));
                into.extend(chain.map(|(at, function)| Called {
                    function: by_symbol(function, call.lines.get(at)),
                    file: Some(number),
                    line: call.lines.get(at).copied().filter(|_| is_same),
                    symbol: call.lines.last().copied().filter(|_| at == outermost),
                    returns_to: Some(address + 1).filter(|_| at == 0),
                }));
            }
            None => into.extend(call.lines.iter().filter(|line| !line.is_allocator).map(|line| Called {
                function: Rc::new(Function::from_symbol(line)),
                file: None,
                line: None,
                symbol: Some(*line),
                returns_to: None,
            })),
        }
    }

    /// Finds what a pointer at `offset` of an element leads to the beginning of, where C or C++ has allocated that: blocks
    /// of these sizes.
    pub(crate) fn find_pointed(&mut self, holder: &Typed, offset: u64, sizes: Sizes) -> Option<Typed> {
        let links = match &holder.owned.held {
            Held::One(_) | Held::Slice(_) => 0,
            Held::Node(links, _) => *links,
            _ => return None,
        };
        let die = holder.owned.held.element().die?;
        let Opened { file, layouts, scopes, .. } = &mut self.opened[die.file()];
        let to = scope::pointer_at(file, layouts, die, offset.checked_sub(links)?)?;
        let is_cpp = file.entry(to)?.0.language() == Language::Cpp;
        let mut reading = made::Reading { file, scopes, layouts, sources: &mut self.sources, sizes };
        let owned = reading.pointed(to, is_cpp)?;
        let (short, full) = (cpp::brief(&owned.name), cpp::short(&owned.name));
        Some(self.typed(owned, short, full))
    }

    /// Finds the ways to the pointer at `offset` of an element of what a block holds. `target` is what the pointer leads to
    /// the beginning of.
    pub(crate) fn find_ways(&mut self, holder: &Typed, offset: u64, target: Option<&Typed>) -> Option<Ways> {
        let held = &holder.owned.held;
        let Some(die) = held.element().die else {
            // Std comes without debug information of types.
            return Ways::within_std(&holder.owned.name);
        };
        let Opened { file, layouts, .. } = &mut self.opened[die.file()];
        let target = target.map(|target| target.owned.held.element().name.as_str());
        field::find_ways(file, layouts, held, &holder.owned.name, offset, target)
    }

    /// The field that the chosen ones of these ways lead to, and what the pointer in it does for the block at its other end.
    pub(crate) fn tell_field(
        &mut self,
        holder: &Typed,
        ways: &Ways,
        chosen: Chosen,
    ) -> Option<(String, Hold)> {
        let (steps, hold) = ways.tell(chosen)?;
        let described = holder.owned.held.element().die;
        let mut language = |die: Die| Some(self.opened[die.file()].file.entry(die)?.0.language());
        // What a pointer of C or C++ does is nobody's knowledge but its author's.
        let is_rust = described.is_none_or(|die| language(die) == Some(Language::Rust));
        let mut short = |name: &str| names::short(name, &mut |_| None);
        let path = path::write(&steps, &mut short);
        Some((path, if is_rust { hold } else { Hold::Strong }))
    }

    /// Finds the field that a pointer lies in, at `offset` of a variable of the file at `path`: `app::CACHE.entries[2]`.
    pub(crate) fn find_in_variable(
        &mut self,
        path: &Path,
        variable: &Variable<'_>,
        offset: u64,
        target: Option<&Typed>,
    ) -> Option<String> {
        let number = self.number_of(path)?;
        let Opened { file, layouts, .. } = &mut self.opened[number];
        let held = Held::One(Named { name: String::new(), die: Some(find_type(file, variable)?) });
        let target = target.map(|target| target.owned.held.element().name.as_str());
        let (steps, _) = field::find_ways(file, layouts, &held, "", offset, target)?.tell(Chosen::MAX)?;
        Some(path::write_behind(variable.name, &steps, &mut |name| names::short(name, &mut |_| None)))
    }

    /// The number of a file with debug information.
    fn number_of(&mut self, path: &Path) -> Option<usize> {
        match self.numbers.get(path) {
            Some(number) => *number,
            None => {
                let number = self.open(path);
                self.numbers.insert(path.to_path_buf(), number);
                number
            }
        }
    }

    fn open(&mut self, path: &Path) -> Option<usize> {
        let number = self.opened.len();
        let file = File::open(path, u32::try_from(number).ok()?)?;
        let (functions, sites, layouts, scopes, chains) = Default::default();
        self.opened.push(Opened { file, functions, sites, layouts, scopes, chains });
        Some(number)
    }

    fn short_name(&mut self, owned: &Owned, shown: fn(&str) -> String) -> String {
        let element = owned.held.element();
        names::short(&owned.name, &mut |path| {
            let die = element.die?;
            let Opened { file, sites, .. } = &mut self.opened[die.file()];
            let is_itself = names::split_generics(&element.name).0 == path;
            let environment = if is_itself { Some(die) } else { inner_type(file, die, path) };
            let (file, line) = sites.find(file, die.unit(), environment, path)?;
            Some(format!("{}:{line}", shown(&file)))
        })
    }
}

impl Function {
    /// Reads the symbol of a function.
    fn from_symbol(line: &Line<'_>) -> Self {
        let linkage = line.linkage.unwrap_or_default();
        let is_rust = rustc_demangle::try_demangle(linkage).is_ok();
        match linkage {
            _ if is_rust => Self::from_text(line.function),
            _ if linkage.starts_with("_Z") => library::read_text(line.function),
            _ if linkage.contains("::") || line.function.contains("::") => Self::from_text(line.function),
            _ => Self { language: Language::C, ..Self::from_text(line.function) },
        }
    }
}

/// The type at `path`, when `die` is generic over it or contains it as that: `RcInner<closure>`.
fn inner_type(file: &mut File, die: Die, path: &str) -> Option<Die> {
    let generics = read_generics(file, die);
    generics.into_iter().find_map(|(_, named)| {
        let is_it = names::split_generics(&named.name).0 == path;
        if is_it { named.die } else { inner_type(file, named.die?, path) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_say_what_blocks_have_room_for() {
        let of = |all: &[u64]| {
            let mut sizes = Sizes::default();
            all.iter().for_each(|size| sizes.add(*size));
            sizes
        };
        assert!(
            of(&[24, 24]).is_always(24) && !of(&[24, 48]).is_always(24) && !Sizes::default().is_always(0)
        );
        assert!(of(&[24, 48]).fit(24, true) && of(&[24, 48]).fit(8, true) && !of(&[24, 40]).fit(24, true));
        assert!(
            of(&[40, 72]).fit_behind(8, 32)
                && of(&[40]).fit_behind(8, 16)
                && !of(&[40, 56]).fit_behind(8, 32)
        );
        assert!(!Sizes::default().fit(8, true) && !of(&[4]).fit_behind(8, 4));
        let mut sizes = Sizes::default();
        sizes.add_all(3, 72, 24);
        assert!(sizes.is_always(24));
        sizes.add_all(3, 70, 24);
        assert!(!sizes.fit(24, true) && sizes.fit(1, true));
    }
}
