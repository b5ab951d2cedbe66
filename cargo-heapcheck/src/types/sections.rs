#![forbid(unsafe_code)]
//! The sections with debug information, of a file and of what was split off from it.
//!
//! They are read, not mapped: a mapping can't be had without unsafe code. Only the sections that types need are read,
//! and those of a 50 MB program are read from the page cache in about ten milliseconds.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gimli::{EndianReader, LittleEndian, Reader, SectionId};
use object::{Object, ObjectSection, ReadCache};

/// How debug information is read.
pub(crate) type Bytes = EndianReader<LittleEndian, Rc<[u8]>>;
/// The sections of one file.
pub(crate) type Dwarf = gimli::Dwarf<Bytes>;
/// The sections of a package of split files.
pub(crate) type Package = gimli::DwarfPackage<Bytes>;
/// One unit.
pub(crate) type Unit = gimli::Unit<Bytes>;

/// What types do not need, and what is large.
const UNWANTED: &[SectionId] = &[SectionId::DebugLoc, SectionId::DebugLocLists, SectionId::DebugTypes];

/// Reads the sections of `path`; none when it has no debug information.
pub(crate) fn read_dwarf(path: &Path) -> Option<Dwarf> {
    let file = Sections::open(path)?;
    let wanted = |id: SectionId| match UNWANTED.contains(&id) {
        true => file.read(None),
        false => file.read(Some(id.name())),
    };
    let mut dwarf = Dwarf::load(wanted).ok()?;
    if gimli::Section::reader(&dwarf.debug_info).is_empty() {
        return None;
    }
    dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
    Some(dwarf)
}

/// Reads `<path>.dwp`, the package of what was split off.
pub(crate) fn read_package(path: &Path) -> Option<Package> {
    let mut name = path.as_os_str().to_owned();
    name.push(".dwp");
    let file = Sections::open(Path::new(&name))?;
    Package::load(|id| file.read(id.dwo_name()), EndianReader::new(Rc::from([]), LittleEndian)).ok()
}

/// Reads the unit that was split off from `skeleton`, be it into the package or into a file of its own.
pub(crate) fn read_split(dwarf: &Dwarf, package: Option<&Package>, skeleton: &Unit) -> Option<(Dwarf, Unit)> {
    let id = skeleton.dwo_id?;
    let packed = package.and_then(|package| package.find_cu(id, dwarf).ok()?);
    let split = match packed {
        Some(split) => split,
        None => {
            let text = |bytes: &Bytes| Some(PathBuf::from(bytes.to_string().ok()?.into_owned()));
            let folder = skeleton.comp_dir.as_ref().and_then(text).unwrap_or_default();
            let name = skeleton.dwo_name().ok()??;
            let file = Sections::open(&folder.join(text(&dwarf.attr_string(skeleton, name).ok()?)?))?;
            let mut split = Dwarf::load(|id| file.read(id.dwo_name())).ok()?;
            split.make_dwo(dwarf);
            split
        }
    };
    let header = split.units().next().ok()??;
    let mut unit = split.unit(header).ok()?;
    unit.copy_relocated_attributes(skeleton);
    // The lines stay in the file that was linked.
    unit.line_program = unit.line_program.or_else(|| skeleton.line_program.clone());
    unit.comp_dir = unit.comp_dir.or_else(|| skeleton.comp_dir.clone());
    (unit.dwo_id == Some(id)).then_some((split, unit))
}

/// An open file whose sections can be asked for by name.
struct Sections {
    file: fs::File,
    cache: ReadCache<fs::File>,
}

impl Sections {
    fn open(path: &Path) -> Option<Self> {
        let file = fs::File::open(path).ok()?;
        Some(Self { cache: ReadCache::new(file.try_clone().ok()?), file })
    }

    /// The bytes of a section; none of a section that is not there.
    fn read(&self, name: Option<&str>) -> Result<Bytes, gimli::Error> {
        let bytes = name.and_then(|name| self.find(name)).unwrap_or_else(|| Rc::from([]));
        Ok(EndianReader::new(bytes, LittleEndian))
    }

    fn find(&self, name: &str) -> Option<Rc<[u8]>> {
        let file = object::File::parse(&self.cache).ok()?;
        let section = file.section_by_name(name)?;
        let range = section.compressed_file_range().ok()?;
        if range.format != object::CompressionFormat::None {
            return Some(Rc::from(section.uncompressed_data().ok()?));
        }
        let mut bytes: Rc<[u8]> =
            std::iter::repeat_n(0, usize::try_from(range.uncompressed_size).ok()?).collect();
        self.file.read_exact_at(Rc::get_mut(&mut bytes)?, range.offset).ok()?;
        Some(bytes)
    }
}
