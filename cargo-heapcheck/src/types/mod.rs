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
mod field;
mod variable;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::types::file::{Die, File};
use crate::types::function::{Function, Functions, Named, read_generics};
use crate::types::layout::Layouts;
use crate::types::owner::{Held, Owned, find_owner};
use crate::types::sites::Sites;
use crate::types::variable::find_type;

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
    /// The functions there by their symbols, the innermost first; they count where there is no debug information.
    pub(crate) names: Vec<&'a str>,
}

/// The files with debug information, and what was found in them.
#[derive(Default)]
pub(crate) struct Types {
    /// The number of each file that was asked for; none when it has no debug information.
    numbers: HashMap<PathBuf, Option<usize>>,
    opened: Vec<Opened>,
}

/// A file, and what was found in it.
struct Opened {
    file: File,
    functions: Functions,
    sites: Sites,
    layouts: Layouts,
    chains: HashMap<u64, Rc<[Rc<Function>]>>,
}

impl Types {
    /// Finds the type of the blocks that a trace has allocated. Its calls are `calls`, innermost first; `shown` writes
    /// the path of a source file as a person does.
    pub(crate) fn find<'a>(
        &mut self,
        calls: impl Iterator<Item = Call<'a>>,
        shown: fn(&str) -> String,
    ) -> Option<Typed> {
        let functions = calls.take(FRAMES_MAX).flat_map(|call| {
            let known = call.place.and_then(|(path, address)| self.functions_at(path, address));
            let from_symbols = || call.names.iter().map(|name| Rc::new(Function::from_text(name))).collect();
            known.unwrap_or_else(from_symbols).to_vec()
        });
        let owned = find_owner(functions)?;
        let short = self.short_name(&owned, shown);
        let stride = owned.held.element().die.and_then(|die| {
            let Opened { file, layouts, .. } = &mut self.opened[die.file()];
            layouts.read(file, die).map(|layout| layout.size)
        });
        Some(Typed { short, full: names::full(&owned.name), owned, stride: stride.unwrap_or(0) })
    }

    /// Finds the field that a pointer lies in, at `offset` of an element of what a block holds. `target` is what the
    /// pointer leads to the beginning of.
    pub(crate) fn find_field(
        &mut self,
        holder: &Typed,
        offset: u64,
        target: Option<&Typed>,
    ) -> Option<String> {
        let held = &holder.owned.held;
        let die = held.element().die?;
        let Opened { file, layouts, .. } = &mut self.opened[die.file()];
        let is_buffer = holder.owned.name.starts_with("alloc::vec::Vec<");
        let target = target.map(|target| target.owned.held.element().name.as_str());
        let steps = field::find_field(file, layouts, held, is_buffer, offset, target)?;
        let mut short = |name: &str| names::short(name, &mut |_| None);
        let path = field::write(&steps, &mut short);
        // A value that only std wraps has no field.
        Some(path).filter(|path| !path.is_empty())
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
        let steps = field::find_field(file, layouts, &held, false, offset, target)?;
        Some(field::write_behind(variable.name, &steps, &mut |name| names::short(name, &mut |_| None)))
    }

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

    fn functions_at(&mut self, path: &Path, address: u64) -> Option<Rc<[Rc<Function>]>> {
        let number = self.number_of(path);
        let opened = &mut self.opened[number?];
        let find = || opened.functions.find(&mut opened.file, address).into();
        let chain = opened.chains.entry(address).or_insert_with(find);
        (!chain.is_empty()).then(|| Rc::clone(chain))
    }

    fn open(&mut self, path: &Path) -> Option<usize> {
        let number = self.opened.len();
        let file = File::open(path, u32::try_from(number).ok()?)?;
        let (functions, sites, layouts, chains) = Default::default();
        self.opened.push(Opened { file, functions, sites, layouts, chains });
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

/// The type at `path`, when `die` is generic over it or contains it as that: `RcInner<closure>`.
fn inner_type(file: &mut File, die: Die, path: &str) -> Option<Die> {
    let generics = read_generics(file, die);
    generics.into_iter().find_map(|(_, named)| {
        let is_it = names::split_generics(&named.name).0 == path;
        if is_it { named.die } else { inner_type(file, named.die?, path) }
    })
}
