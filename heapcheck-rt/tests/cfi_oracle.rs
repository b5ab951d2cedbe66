//! Unwind tables of real files: every row is the one that gimli finds, and damage ends in an error.
//!
//! gimli reads the entries one after the other; ours are looked up by program counter, as in the runtime, so the search
//! in `.eh_frame_hdr` is compared as well.

use gimli::{BaseAddresses, CfaRule, CieOrFde, EhFrame, EndianSlice, LittleEndian, Register, RegisterRule};
use gimli::{UnwindContext, UnwindExpression, UnwindSection};
use heapcheck_rt::cfi::{Cfa, KEPT, Place, Row, Section, Tables, fuzz};
use heapcheck_rt::rule::Rule;
use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

struct Module {
    name: String,
    header: (u64, Vec<u8>),
    frames: (u64, Vec<u8>),
}

impl Module {
    fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let section = |name| {
            let section = file.section_by_name(name)?;
            Some((section.address(), section.data().ok()?.to_vec()))
        };
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(Self { name, header: section(".eh_frame_hdr")?, frames: section(".eh_frame")? })
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            header: Section { address: self.header.0, bytes: &self.header.1 },
            frames: Section { address: self.frames.0, bytes: &self.frames.1 },
        }
    }
}

/// The files that these tests read. What a machine does not have is named.
fn modules() -> Vec<Module> {
    let mut paths = vec![std::env::current_exe().expect("the test's own path")];
    let folders =
        ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
    for name in
        ["libc.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libcrypto.so", "libpython3"]
    {
        let found = folders.iter().find_map(|folder| in_folder(Path::new(folder), name));
        match found {
            Some(path) => paths.push(path),
            None => println!("skipped: this machine has no {name}"),
        }
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir"]).output().expect("rustc runs");
    let folder = String::from_utf8(output.stdout).expect("a path");
    match in_folder(Path::new(folder.trim()), "libstd-") {
        Some(path) => paths.push(path),
        None => println!("skipped: this toolchain has no libstd-*.so"),
    }
    paths.iter().filter_map(|path| Module::read(path)).collect()
}

/// A shared object of the folder whose name begins so.
fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().find(|path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(name) && file.contains(".so")
    })
}

/// Whether a row of ours is the one of gimli. "Nothing was said" and "undefined" are one rule there.
fn equal(ours: &Row<'_>, theirs: &gimli::UnwindTableRow<usize>, section: &EhFrame<Slice<'_>>) -> bool {
    let same_code = |code: &[u8], expression: &UnwindExpression<usize>| {
        expression.get(section).is_ok_and(|expression| expression.0.slice() == code)
    };
    let same_cfa = match (&ours.cfa, theirs.cfa()) {
        (Cfa::Register(number, add), CfaRule::RegisterAndOffset { register, offset }) => {
            *number == register.0 && add == offset
        }
        (Cfa::Expression(code), CfaRule::Expression(expression)) => same_code(code, expression),
        _ => false,
    };
    same_cfa
        && KEPT.iter().all(|number| match (ours.place(*number), theirs.register(Register(*number))) {
            (Place::Unsaid | Place::Undefined, RegisterRule::Undefined) => true,
            (Place::Same, RegisterRule::SameValue) => true,
            (Place::AtCfa(at), RegisterRule::Offset(offset)) => at == offset,
            (Place::CfaPlus(add), RegisterRule::ValOffset(offset)) => add == offset,
            (Place::Register(other), RegisterRule::Register(register)) => other == register.0,
            (Place::At(code), RegisterRule::Expression(expression)) => same_code(code, &expression),
            (Place::Is(code), RegisterRule::ValExpression(expression)) => same_code(code, &expression),
            _ => false,
        })
}

#[derive(Debug, Default)]
struct Seen {
    entries: usize,
    rows: usize,
    /// Rows that do not fit a packed rule.
    slow: usize,
    lookups: u32,
    time: Duration,
}

fn compare(module: &Module) -> Seen {
    let tables = module.tables();
    assert_eq!(Tables::frames_address(tables.header), Some(module.frames.0), "{}", module.name);
    let section = EhFrame::new(&module.frames.1, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(module.frames.0);
    let mut context = UnwindContext::new();
    let mut entries = section.entries(&bases);
    let mut seen = Seen::default();
    let mut pcs = Vec::new();
    while let Some(entry) = entries.next().expect("gimli reads the table") {
        let CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(EhFrame::cie_from_offset).expect("gimli reads the entry");
        let mut rows = fde.rows(&section, &bases, &mut context).expect("gimli runs the entry");
        seen.entries += 1;
        while let Some(row) = rows.next_row().expect("gimli runs the entry") {
            // The last row of some entries is empty.
            if row.start_address() >= row.end_address() {
                continue;
            }
            seen.rows += 1;
            for pc in [row.start_address(), row.end_address() - 1] {
                let found = tables.entry_of(pc).expect("the entry is found");
                assert_eq!((found.start, found.len), (fde.initial_address(), fde.len()), "{}", module.name);
                let ours =
                    found.row_at(pc).unwrap_or_else(|error| panic!("{}: {pc:#x}: {error:?}", module.name));
                assert!(equal(&ours, row, &section), "{}: {pc:#x}: {ours:?} is not {row:?}", module.name);
                assert_eq!(ours.is_signal, fde.is_signal_trampoline());
                seen.slow += usize::from(Rule::from_row(&ours) == Rule::SLOW);
                pcs.push(pc);
            }
        }
    }
    let mut count = 0;
    tables
        .each(|_| {
            count += 1;
            false
        })
        .expect("the table is whole");
    assert_eq!(count, seen.entries, "{}", module.name);
    let start = Instant::now();
    for pc in &pcs {
        seen.lookups += u32::from(tables.row_at(*pc).is_ok());
    }
    seen.time = start.elapsed();
    assert_eq!(seen.lookups as usize, pcs.len());
    seen
}

#[test]
fn every_row_of_real_libraries_is_the_row_that_gimli_finds() {
    let mut rows = 0;
    for module in modules() {
        let seen = compare(&module);
        println!(
            "{}: {} entries, {} rows, {} of {} looked up are slow, {:?} a look-up",
            module.name,
            seen.entries,
            seen.rows,
            seen.slow,
            seen.lookups,
            seen.time / seen.lookups.max(1)
        );
        rows += seen.rows;
    }
    assert!(rows > 10_000, "only {rows} rows were compared");
}

/// xorshift64*.
fn random(state: &mut u64) -> usize {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) as usize
}

/// Entries of real tables with a few bytes changed, one piece at a time, so that damage is where the reader looks.
fn damage(module: &Module, rounds: usize, state: &mut u64) -> usize {
    let mut header = module.header.1.clone();
    let mut frames = module.frames.1.clone();
    let mut starts = Vec::new();
    let _ = module.tables().each(|entry| {
        starts.push(entry.start);
        false
    });
    let mut rows = 0;
    for round in 0..rounds {
        // A window of the frames, so that the scan of a round is short. Damage in entries that follow it is seen by
        // the search.
        let window = (1 << 13).min(frames.len());
        let undo: Vec<(bool, usize, u8)> = (0..1 + random(state) % 6)
            .map(|_| {
                let in_header = random(state).is_multiple_of(4);
                let (bytes, at) = if in_header {
                    let near = if random(state).is_multiple_of(2) { 16 } else { header.len() };
                    let at = random(state) % near.min(header.len());
                    (&mut header, at)
                } else {
                    let at = random(state) % window;
                    (&mut frames, at)
                };
                let before = bytes[at];
                bytes[at] = match random(state) % 4 {
                    0 => 0xff,
                    1 => before ^ 1 << (random(state) % 8),
                    2 => 0,
                    _ => random(state) as u8,
                };
                (in_header, at, before)
            })
            .collect();
        let end = if round % 4 == 0 { random(state) % window } else { window };
        let head_end = if round % 16 == 0 { random(state) % header.len() } else { header.len() };
        let tables = Tables {
            header: Section { address: module.header.0, bytes: &header[..head_end] },
            frames: Section { address: module.frames.0, bytes: &frames[..end] },
        };
        let pcs: Vec<u64> = (0..8)
            .map(|_| starts[random(state) % starts.len()].wrapping_add((random(state) % 64) as u64))
            .collect();
        rows += fuzz::read(&tables, &pcs);
        for (in_header, at, before) in undo.into_iter().rev() {
            if in_header { header[at] = before } else { frames[at] = before }
        }
    }
    rows
}

#[test]
fn damaged_tables_end_in_an_error_and_never_in_a_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut rows = 0;
    for module in modules() {
        rows += damage(&module, 400, &mut state);
    }
    println!("{rows} rows were read from damaged tables");
    assert!(rows > 10_000, "the damage left too little to read: {rows} rows");
}

#[test]
fn noise_is_no_table() {
    let mut state = 0x1234_5678_9abc_def1;
    let mut bytes = vec![0; 600];
    for _ in 0..20_000 {
        let len = random(&mut state) % bytes.len();
        for byte in &mut bytes[..len] {
            *byte = if random(&mut state).is_multiple_of(3) { 0 } else { random(&mut state) as u8 };
        }
        fuzz::fuzz(&bytes[..len]);
    }
}
