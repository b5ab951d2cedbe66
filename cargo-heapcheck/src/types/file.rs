#![forbid(unsafe_code)]
//! A file with debug information: its units by address, and in each unit the functions by address and the parent of
//! every entry that can be part of a name.
//!
//! A unit is read once, when something of it is asked for. An entry is named by its unit and its offset in it.

use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use gimli::{AttributeValue, DwAt, DwTag, Operation, Reader, UnitOffset, constants as dw};

use crate::types::sections::{Bytes, Dwarf, Package, Unit, read_dwarf, read_package, read_split};

/// One entry with its attributes.
pub(crate) type Entry = gimli::DebuggingInformationEntry<Bytes>;

/// The place of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Die {
    /// The number of its file.
    file: u32,
    /// The number of its unit.
    unit: u32,
    /// Where it begins in that.
    offset: usize,
}

/// Where a visit goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Below the entry.
    Into,
    /// Beside it.
    Over,
    /// Nowhere.
    Stop,
}

/// What is known of a file.
pub(crate) struct File {
    number: u32,
    /// When it was written.
    written: Option<SystemTime>,
    dwarf: Rc<Dwarf>,
    package: Option<Package>,
    headers: Vec<gimli::UnitHeader<Bytes>>,
    /// Address ranges with the number of their unit, by their begin; and the highest end of all up to each.
    ranges: Vec<(u64, u64, u32, u64)>,
    units: Vec<Option<Option<Rc<Content>>>>,
    /// The root file and folder of the crate of each unit, as far as they were asked for.
    crates: Vec<Option<Option<(String, String)>>>,
    /// The names of the units, once they were asked for.
    unit_names: Option<Rc<[String]>>,
}

/// A unit that was read.
pub(crate) struct Content {
    dwarf: Rc<Dwarf>,
    unit: Unit,
    /// What it is written in.
    language: Language,
    /// Functions with code of their own, by their begin.
    functions: Vec<(u64, u64, usize)>,
    /// Entries that can be parts of names, by their offset, with the number of their parent in this list.
    parents: Vec<(usize, u32)>,
}

/// A programming language, as far as it makes a difference here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// Rust.
    Rust,
    /// C.
    C,
    /// C++.
    Cpp,
    /// Another one, or nobody knows.
    #[default]
    Other,
}

/// The parent of what has none.
const NONE: u32 = u32::MAX;

impl File {
    /// Opens a file, to be known by a number; none when it has no debug information.
    pub(crate) fn open(path: &Path, number: u32) -> Option<Self> {
        let dwarf = read_dwarf(path)?;
        let mut headers = Vec::new();
        let mut all = dwarf.units();
        while let Ok(Some(header)) = all.next() {
            headers.push(header);
        }
        let ranges = index_ranges(&dwarf, &headers);
        let units = vec![None; headers.len()];
        let package = read_package(path);
        let written = std::fs::metadata(path).and_then(|about| about.modified()).ok();
        Some(Self {
            number,
            written,
            dwarf: Rc::new(dwarf),
            package,
            headers,
            ranges,
            units,
            crates: Vec::new(),
            unit_names: None,
        })
    }

    /// When it was written.
    pub(crate) fn written(&self) -> Option<SystemTime> {
        self.written
    }

    /// The unit with this number.
    fn content(&mut self, number: u32) -> Option<Rc<Content>> {
        let at = number as usize;
        if self.units.get(at)?.is_none() {
            let content = self.read_content(at).map(Rc::new);
            self.units[at] = Some(content);
        }
        self.units[at].clone()?
    }

    fn read_content(&self, at: usize) -> Option<Content> {
        let unit = self.dwarf.unit(self.headers[at].clone()).ok()?;
        match read_split(&self.dwarf, self.package.as_ref(), &unit) {
            Some((dwarf, unit)) => Some(Content::read(Rc::new(dwarf), unit)),
            None => Some(Content::read(Rc::clone(&self.dwarf), unit)),
        }
    }

    /// The function with code at an address of the file.
    pub(crate) fn find_function(&mut self, address: u64) -> Option<Die> {
        let end = self.ranges.partition_point(|range| range.0 <= address);
        let before = self.ranges[..end].iter().rev().take_while(|range| range.3 > address);
        let units: Vec<u32> = before.filter(|range| range.1 > address).map(|range| range.2).collect();
        units.into_iter().find_map(|unit| {
            let content = self.content(unit)?;
            let end = content.functions.partition_point(|function| function.0 <= address);
            // What the linker has merged lies on top of each other; the innermost begin is the best.
            let found =
                content.functions[..end].iter().rev().take(8).find(|function| function.1 > address)?;
            Some(Die { file: self.number, unit, offset: found.2 })
        })
    }

    /// An entry, with the unit that it is read by.
    pub(crate) fn entry(&mut self, die: Die) -> Option<(Rc<Content>, Entry)> {
        let content = self.content(die.unit)?;
        let mut entries = content.unit.entries_raw(Some(UnitOffset(die.offset))).ok()?;
        let mut entry = Entry::null();
        entries.read_entry(&mut entry).ok()?.then_some(())?;
        Some((content, entry))
    }

    /// Calls `visit` with the entries below `die`, and how deep below it each lies.
    pub(crate) fn visit(&mut self, die: Die, mut visit: impl FnMut(&Content, Die, &Entry, usize) -> Next) {
        let Some(content) = self.content(die.unit) else { return };
        let Ok(mut entries) = content.unit.entries_raw(Some(UnitOffset(die.offset))) else { return };
        let mut entry = Entry::null();
        if !entries.read_entry(&mut entry).is_ok_and(|is_one| is_one && entry.has_children()) {
            return;
        }
        let mut skipped_below = isize::MAX;
        while !entries.is_empty() && entries.next_depth() > 0 {
            let (offset, depth) = (entries.next_offset().0, entries.next_depth());
            if depth > skipped_below {
                let Ok(abbreviation) = entries.read_abbreviation() else { return };
                let skipped = abbreviation.map(|skipped| entries.skip_attributes(skipped.attributes()));
                if skipped.is_some_and(|skipped| skipped.is_err()) {
                    return;
                }
                continue;
            }
            match entries.read_entry(&mut entry) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) => return,
            }
            skipped_below = isize::MAX;
            match visit(&content, Die { offset, ..die }, &entry, depth.unsigned_abs()) {
                Next::Into => {}
                Next::Over => skipped_below = depth,
                Next::Stop => return,
            }
        }
    }

    /// The entry that an attribute of `of` refers to.
    pub(crate) fn referred(&self, of: Die, value: Option<AttributeValue<Bytes>>) -> Option<Die> {
        match value? {
            AttributeValue::UnitRef(offset) => Some(Die { offset: offset.0, ..of }),
            AttributeValue::DebugInfoRef(offset) => {
                let starts =
                    |header: &gimli::UnitHeader<Bytes>| header.debug_info_offset().map_or(0, |at| at.0);
                let after = self.headers.partition_point(|header| starts(header) <= offset.0);
                let unit = after.checked_sub(1)?;
                Some(Die {
                    unit: u32::try_from(unit).ok()?,
                    offset: offset.0 - starts(&self.headers[unit]),
                    ..of
                })
            }
            _ => None,
        }
    }

    /// The entry around `die` that can be part of its name.
    pub(crate) fn parent(&mut self, die: Die) -> Option<Die> {
        let content = self.content(die.unit)?;
        let at = content.parents.binary_search_by_key(&die.offset, |parent| parent.0).ok()?;
        let (offset, _) = content.parents.get(content.parents[at].1 as usize)?;
        Some(Die { offset: *offset, ..die })
    }

    /// The units of the crate that a unit belongs to: rustc names all of them by the source file of its root.
    pub(crate) fn units_of_same_crate(&mut self, unit: u32) -> Vec<u32> {
        let Some(wanted) = self.crate_of(unit) else { return Vec::new() };
        (0..self.headers.len() as u32)
            .filter(|other| self.crate_of(*other).as_ref() == Some(&wanted))
            .collect()
    }

    fn crate_of(&mut self, unit: u32) -> Option<(String, String)> {
        let at = unit as usize;
        if self.crates.len() <= at {
            self.crates.resize(self.headers.len(), None);
        }
        if self.crates[at].is_none() {
            let found = self.read_crate(unit);
            self.crates[at] = Some(found);
        }
        self.crates[at].clone()?
    }

    /// The units that are called as this one is, itself included.
    pub(crate) fn units_of_same_name(&mut self, unit: u32) -> Vec<u32> {
        let names = self.unit_names();
        match names.get(unit as usize).filter(|name| !name.is_empty()) {
            Some(name) => self.units_named(|other| other == name),
            None => vec![unit],
        }
    }

    /// The units whose name is wanted.
    pub(crate) fn units_named(&mut self, is_wanted: impl Fn(&str) -> bool) -> Vec<u32> {
        let names = self.unit_names();
        (0..).zip(names.iter()).filter(|(_, name)| is_wanted(name)).map(|(unit, _)| unit).collect()
    }

    fn unit_names(&mut self) -> Rc<[String]> {
        if let Some(names) = &self.unit_names {
            return Rc::clone(names);
        }
        let count = self.headers.len() as u32;
        let name = |unit| self.read_unit(unit).and_then(|unit| text_of(unit.name.as_ref()?));
        let names: Rc<[String]> = (0..count).map(name).map(Option::unwrap_or_default).collect();
        self.unit_names = Some(Rc::clone(&names));
        names
    }

    /// The entry around all others of a unit.
    pub(crate) fn root(&mut self, unit: u32) -> Option<Die> {
        let content = self.content(unit)?;
        let offset = content.unit.entries_raw(None).ok()?.next_offset().0;
        Some(Die { file: self.number, unit, offset })
    }

    /// A unit without what lies in it.
    fn read_unit(&mut self, number: u32) -> Option<Unit> {
        let mut unit = self.dwarf.unit(self.headers[number as usize].clone()).ok()?;
        if unit.name.is_none() && unit.dwo_id.is_some() {
            // The name of what was split off lies there.
            unit.name = self.content(number)?.unit.name.clone();
        }
        Some(unit)
    }

    fn read_crate(&mut self, number: u32) -> Option<(String, String)> {
        let unit = self.read_unit(number)?;
        let name = text_of(unit.name.as_ref()?)?;
        let (root, _) = name.split_once("/@/")?;
        Some((root.to_string(), unit.comp_dir.as_ref().and_then(text_of).unwrap_or_default()))
    }

    /// All entries of a unit that can be part of a name.
    pub(crate) fn named_entries(&mut self, unit: u32) -> Vec<Die> {
        let Some(content) = self.content(unit) else { return Vec::new() };
        content.parents.iter().map(|(offset, _)| Die { file: self.number, unit, offset: *offset }).collect()
    }
}

impl Die {
    /// The number of its file.
    pub(crate) fn file(self) -> usize {
        self.file as usize
    }

    /// The number of its unit.
    pub(crate) fn unit(self) -> u32 {
        self.unit
    }
}

impl Content {
    fn read(dwarf: Rc<Dwarf>, unit: Unit) -> Self {
        let (mut functions, mut parents) = (Vec::new(), Vec::new());
        let mut open: Vec<(isize, u32)> = Vec::new();
        if let Ok(mut entries) = unit.entries_raw(None) {
            while !entries.is_empty() {
                let (offset, depth) = (entries.next_offset().0, entries.next_depth());
                let Ok(abbreviation) = entries.read_abbreviation() else { break };
                let Some(abbreviation) = abbreviation else { continue };
                let tag = abbreviation.tag();
                if !can_name(tag) {
                    if entries.skip_attributes(abbreviation.attributes()).is_err() {
                        break;
                    }
                    continue;
                }
                while open.last().is_some_and(|(above, _)| *above >= depth) {
                    open.pop();
                }
                let parent = open.last().map_or(NONE, |(_, number)| *number);
                open.push((depth, parents.len() as u32));
                parents.push((offset, parent));
                let has_code = tag == dw::DW_TAG_subprogram
                    && abbreviation
                        .attributes()
                        .iter()
                        .any(|spec| [dw::DW_AT_low_pc, dw::DW_AT_ranges].contains(&spec.name()));
                if !has_code {
                    if entries.skip_attributes(abbreviation.attributes()).is_err() {
                        break;
                    }
                    continue;
                }
                let mut attributes = Vec::new();
                if entries.read_attributes(abbreviation.attributes(), &mut attributes).is_err() {
                    break;
                }
                let entry = Entry::new(tag, abbreviation.has_children(), attributes, UnitOffset(offset));
                functions.extend(ranges_of(&dwarf, &unit, &entry).map(|(from, to)| (from, to, offset)));
            }
        }
        functions.sort_unstable();
        let language = read_language(&unit);
        Self { dwarf, unit, language, functions, parents }
    }

    /// What it is written in.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// An attribute that is an address.
    pub(crate) fn address(&self, entry: &Entry, name: DwAt) -> Option<u64> {
        self.dwarf.attr_address(&self.unit, entry.attr_value(name)?).ok()?
    }

    /// An attribute that is text.
    pub(crate) fn text(&self, entry: &Entry, name: DwAt) -> Option<String> {
        let value = entry.attr_value(name)?;
        let bytes = self.dwarf.attr_string(&self.unit, value).ok()?;
        Some(bytes.to_string_lossy().ok()?.into_owned())
    }

    /// The address of a variable that has one of its own, and whether that is one in thread-local storage.
    pub(crate) fn location(&self, entry: &Entry) -> Option<(u64, bool)> {
        let AttributeValue::Exprloc(expression) = entry.attr_value(dw::DW_AT_location)? else { return None };
        let mut operations = expression.operations(self.unit.encoding());
        let address = match operations.next().ok()?? {
            Operation::Address { address } => address,
            Operation::AddressIndex { index } => self.dwarf.address(&self.unit, index).ok()?,
            Operation::UnsignedConstant { value } => value,
            _ => return None,
        };
        let is_thread_local = matches!(operations.next().ok()?, Some(Operation::TLS));
        Some((address, is_thread_local))
    }

    /// Whether code of an entry lies at an address.
    pub(crate) fn covers(&self, entry: &Entry, address: u64) -> bool {
        ranges_of(&self.dwarf, &self.unit, entry).any(|(from, to)| (from..to).contains(&address))
    }

    /// The file name and line where something is declared.
    pub(crate) fn declared_at(&self, entry: &Entry) -> Option<(String, u64)> {
        let line = entry.attr_value(dw::DW_AT_decl_line)?.udata_value()?;
        let AttributeValue::FileIndex(index) = entry.attr_value(dw::DW_AT_decl_file)? else { return None };
        let header = self.unit.line_program.as_ref()?.header();
        let file = header.file(index)?;
        let text = |value| {
            let bytes: Bytes = self.dwarf.attr_string(&self.unit, value).ok()?;
            Some(bytes.to_string_lossy().ok()?.into_owned())
        };
        let mut path = std::path::PathBuf::from(text(AttributeValue::clone(&file.path_name()))?);
        if let Some(folder) = file.directory(header).and_then(text) {
            path = Path::new(&folder).join(path);
        }
        if let Some(base) = self.unit.comp_dir.as_ref().and_then(|base| base.to_string_lossy().ok()) {
            path = Path::new(base.as_ref()).join(path);
        }
        Some((path.to_string_lossy().into_owned(), line))
    }
}

fn text_of(bytes: &Bytes) -> Option<String> {
    Some(bytes.to_string_lossy().ok()?.into_owned())
}

fn read_language(unit: &Unit) -> Language {
    let mut entry = Entry::null();
    let read = unit.entries_raw(None).and_then(|mut entries| entries.read_entry(&mut entry));
    let Some(AttributeValue::Language(language)) =
        entry.attr_value(dw::DW_AT_language).filter(|_| read.is_ok())
    else {
        return Language::Other;
    };
    match language {
        dw::DW_LANG_Rust => Language::Rust,
        dw::DW_LANG_C | dw::DW_LANG_C89 | dw::DW_LANG_C99 | dw::DW_LANG_C11 | dw::DW_LANG_C17 => Language::C,
        dw::DW_LANG_C_plus_plus
        | dw::DW_LANG_C_plus_plus_03
        | dw::DW_LANG_C_plus_plus_11
        | dw::DW_LANG_C_plus_plus_14
        | dw::DW_LANG_C_plus_plus_17
        | dw::DW_LANG_C_plus_plus_20 => Language::Cpp,
        _ => Language::Other,
    }
}

/// Whether an entry's name is part of the names of what lies in it, or it is asked for by its parent.
fn can_name(tag: DwTag) -> bool {
    [
        dw::DW_TAG_namespace,
        dw::DW_TAG_structure_type,
        dw::DW_TAG_class_type,
        dw::DW_TAG_union_type,
        dw::DW_TAG_enumeration_type,
        dw::DW_TAG_typedef,
        dw::DW_TAG_subprogram,
    ]
    .contains(&tag)
}

/// The address ranges of an entry that are not empty.
fn ranges_of(dwarf: &Dwarf, unit: &Unit, entry: &Entry) -> impl Iterator<Item = (u64, u64)> {
    let mut ranges = dwarf.die_ranges(unit, entry).ok();
    std::iter::from_fn(move || ranges.as_mut()?.next().ok()?)
        .filter(|range| range.begin < range.end && range.begin > 0)
        .map(|range| (range.begin, range.end))
}

/// The ranges of all units, by the index where the file has one, else by the first entry of each.
fn index_ranges(dwarf: &Dwarf, headers: &[gimli::UnitHeader<Bytes>]) -> Vec<(u64, u64, u32, u64)> {
    let mut ranges = Vec::new();
    let mut is_indexed = vec![false; headers.len()];
    let mut tables = dwarf.debug_aranges.headers();
    while let Ok(Some(table)) = tables.next() {
        let its = |header: &gimli::UnitHeader<Bytes>| header.debug_info_offset();
        let Ok(unit) = headers.binary_search_by_key(&Some(table.debug_info_offset()), its) else { continue };
        let mut entries = table.entries();
        while let Ok(Some(entry)) = entries.next() {
            let range = entry.range();
            if range.begin > 0 && range.begin < range.end {
                is_indexed[unit] = true;
                ranges.push((range.begin, range.end, unit as u32, 0));
            }
        }
    }
    for (number, header) in headers.iter().enumerate().filter(|(number, _)| !is_indexed[*number]) {
        let Ok(unit) = dwarf.unit(header.clone()) else { continue };
        let mut its = dwarf.unit_ranges(&unit).ok();
        while let Some(Ok(Some(range))) = its.as_mut().map(|its| its.next()) {
            if range.begin > 0 && range.begin < range.end {
                ranges.push((range.begin, range.end, number as u32, 0));
            }
        }
    }
    ranges.sort_unstable();
    let mut highest = 0;
    for range in &mut ranges {
        highest = highest.max(range.1);
        range.3 = highest;
    }
    ranges
}
