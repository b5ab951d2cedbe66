#![forbid(unsafe_code)]
//! One address space for the profile of several processes, in each of which the loader put the same files elsewhere.
//!
//! A file keeps the place that it had in the first process, unless another file took that before. Its executable segments
//! are told as pprof wants them, with the true start of the segment, not of its first page: `go tool pprof` takes the
//! start for the segment's `p_vaddr`, and the Perl pprof only ever subtracts the one from the other.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use heapcheck_rt::elf::Elf;
use heapcheck_rt::record::Module;

use crate::explain::Explained;
use crate::symbols::Frame;

/// Program headers lie behind the header of the file.
const HEAD_BYTES: u64 = 64 * 1024;
const PAGE_BYTES: u64 = 4096;
const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;

/// A part of a file that holds code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its first address.
    pub(crate) start: u64,
    /// The address after its last.
    pub(crate) end: u64,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// The path of the file.
    pub(crate) path: String,
    /// The build id, in hexadecimal digits.
    pub(crate) build_id: String,
}

/// Where a frame is in the one address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spot {
    /// The return address.
    pub(crate) pc: u64,
    /// The number of its segment.
    pub(crate) segment: Option<usize>,
}

#[derive(Debug)]
struct Placed {
    lo: u64,
    hi: u64,
    /// The segments of this file: the first one, and the one after the last.
    segments: (usize, usize),
}

/// The address space.
#[derive(Debug, Default)]
pub(crate) struct Layout<'e> {
    placed: Vec<Placed>,
    by_file: HashMap<(&'e [u8], &'e [u8]), usize>,
    segments: Vec<Segment>,
}

impl<'e> Layout<'e> {
    /// Lays out the files of all units. The first unit's program comes first, because pprof takes the first file for it.
    pub(crate) fn of(units: &'e [Explained]) -> Self {
        let mut layout = Self::default();
        let is_program = |unit: &Explained, module: &Module<Vec<u8>>| {
            unit.executable.as_os_str().as_encoded_bytes() == module.path
        };
        for unit in units {
            let (own, others): (Vec<_>, Vec<_>) = unit.modules.iter().partition(|m| is_program(unit, m));
            own.into_iter().chain(others).for_each(|module| layout.place(module));
        }
        layout
    }

    /// All parts with code.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Finds where `frame` of a unit is.
    pub(crate) fn spot(&self, unit: Option<&Explained>, frame: &Frame) -> Spot {
        let call = frame.pc.saturating_sub(1);
        let is_its = |module: &&Module<Vec<u8>>| {
            module.path == frame.module.as_bytes() && (module.lo..module.hi).contains(&call)
        };
        let module = unit.and_then(|unit| unit.modules.iter().find(is_its));
        let placed = module.and_then(|module| {
            Some((module, &self.placed[*self.by_file.get(&(&*module.path, &*module.build_id))?]))
        });
        let Some((module, placed)) = placed else { return Spot { pc: frame.pc, segment: None } };
        let pc = frame.pc - module.lo + placed.lo;
        let (first, end) = placed.segments;
        let holds =
            |number: &usize| (self.segments[*number].start..self.segments[*number].end).contains(&(pc - 1));
        Spot { pc, segment: (first..end).find(holds) }
    }

    fn place(&mut self, module: &'e Module<Vec<u8>>) {
        let file = (&*module.path, &*module.build_id);
        if self.by_file.contains_key(&file) || module.hi <= module.lo {
            return;
        }
        let bytes = module.hi - module.lo;
        let is_taken = |placed: &Placed| placed.lo < module.hi && module.lo < placed.hi;
        let lo = if self.placed.iter().any(is_taken) {
            self.placed.iter().map(|placed| placed.hi).max().unwrap_or(0).next_multiple_of(PAGE_BYTES)
        } else {
            module.lo
        };
        let first = self.segments.len();
        self.segments.extend(segments(module, lo));
        self.by_file.insert(file, self.placed.len());
        self.placed.push(Placed { lo, hi: lo + bytes, segments: (first, self.segments.len()) });
    }
}

/// The parts of a file with code, when it is placed at `lo`. Of a file that is gone all of it counts as one.
fn segments(module: &Module<Vec<u8>>, lo: u64) -> Vec<Segment> {
    let path = String::from_utf8_lossy(&module.path).into_owned();
    let build_id: String = module.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let base = module.base.wrapping_add(lo.wrapping_sub(module.lo));
    let whole = || Segment {
        start: lo,
        end: lo + (module.hi - module.lo),
        offset: 0,
        path: path.clone(),
        build_id: build_id.clone(),
    };
    let head = read_head(Path::new(&path));
    let Ok(elf) = Elf::parse(&head) else { return vec![whole()] };
    let is_code = |kind: u32, flags: u32| kind == PT_LOAD && flags & PF_X != 0;
    let found: Vec<Segment> = elf
        .segments()
        .filter(|segment| is_code(segment.kind, segment.flags))
        .map(|segment| Segment {
            start: base.wrapping_add(segment.address),
            end: base.wrapping_add(segment.address + segment.memory_bytes).next_multiple_of(PAGE_BYTES),
            offset: segment.offset,
            ..whole()
        })
        .collect();
    if found.is_empty() { vec![whole()] } else { found }
}

fn read_head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // What can't be read has no segments.
    let _ = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn files_of_two_processes_share_one_place_and_never_overlap() {
        let module = |path: &str, lo: u64| Module {
            id: 1,
            trace_from: 0,
            trace_to: u32::MAX,
            base: lo,
            lo,
            hi: lo + 0x3000,
            path: path.as_bytes().to_vec(),
            build_id: vec![0xab],
        };
        let unit = |modules: Vec<Module<Vec<u8>>>| Explained {
            modules,
            ..Explained::without_records("app".into(), String::new(), Verdict::Leaked)
        };
        let frame = |module: &str, pc: u64| Frame { module: module.into(), pc, ..Frame::default() };
        let units = [
            unit(vec![module("/a", 0x10000), module("/b", 0x20000)]),
            unit(vec![module("/c", 0x10000), module("/a", 0x50000)]),
        ];
        let layout = Layout::of(&units);
        let spot = |unit: usize, module: &str, pc: u64| layout.spot(Some(&units[unit]), &frame(module, pc));
        assert_eq!(spot(0, "/a", 0x10010), Spot { pc: 0x10010, segment: Some(0) });
        assert_eq!(spot(1, "/a", 0x50010), Spot { pc: 0x10010, segment: Some(0) });
        assert_eq!(spot(1, "/c", 0x10010), Spot { pc: 0x23010, segment: Some(2) });
        assert_eq!(spot(1, "/unknown", 0x10010), Spot { pc: 0x10010, segment: None });
        assert_eq!(layout.segments()[2].build_id, "ab");
        let mut all: Vec<_> = layout.segments().iter().map(|segment| (segment.start, segment.end)).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{all:x?}");
    }
}
