#![expect(unsafe_code, reason = "maps files of modules")]
//! Names for program counters, from the symbol tables of the files on disk: for the plain report and for suppressions.
//!
//! # Safety
//! A mapped file is read only while its mapping lives. A file that is cut short meanwhile would fault; so would the
//! program that runs from it.

use crate::elf::{Elf, Lookup, resolve};
use crate::limits::DEPTH_MAX;
use crate::closed::File;
use crate::modules::Modules;
use crate::plain::Frame;
use crate::sys;

/// Files larger than this are not searched: it would take longer than a person waits for a plain report.
const FILE_MAX: usize = 1 << 30;

/// A file, mapped for reading.
#[derive(Debug)]
pub(crate) struct MappedFile {
    address: usize,
    len: usize,
}

impl MappedFile {
    /// Maps the file at `path`, which needs no zero byte at its end.
    pub(crate) fn open(path: &[u8]) -> Option<Self> {
        let mut name = [0u8; 4096];
        name.get_mut(..path.len())?.copy_from_slice(path);
        let fd = sys::open(name.get(..path.len() + 1)?, sys::O_CLOEXEC, 0).ok()?;
        let len = sys::file_size(fd).unwrap_or(0);
        let address = if len == 0 || len > FILE_MAX { None } else { sys::map_file(fd, len).ok() };
        sys::close(fd);
        address.map(|address| Self { address, len })
    }

    /// Its content.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: see the head of this file.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.len) }
    }

    /// Its content for ever: the mapping stays.
    pub(crate) fn leak(self) -> &'static [u8] {
        let (address, len) = (self.address, self.len);
        core::mem::forget(self);
        // SAFETY: the mapping is never given back.
        unsafe { core::slice::from_raw_parts(address as *const u8, len) }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and references into it do not outlive `self`.
        let _ = unsafe { sys::unmap(self.address, self.len) };
    }
}

/// Calls `visit` with every frame of a trace, innermost first, as far as names are found, until it returns false.
pub(crate) fn each_frame(
    modules: &Modules, trace: u32, pcs: &[usize], visit: &mut dyn FnMut(Frame<'_>) -> bool,
) {
    let mut from = 0;
    let pcs = &pcs[..pcs.len().min(DEPTH_MAX)];
    while from < pcs.len() {
        let file = modules.find_file(pcs[from].wrapping_sub(1), trace);
        let same = |pc: &usize| modules.find_file(pc.wrapping_sub(1), trace) == file;
        let count = pcs[from..].iter().take_while(|pc| same(pc)).count().max(1);
        if !each_of_file(file, &pcs[from..from + count], visit) {
            return;
        }
        from += count;
    }
}

fn each_of_file(file: Option<File<'_>>, pcs: &[usize], visit: &mut dyn FnMut(Frame<'_>) -> bool) -> bool {
    let Some(module) = file else {
        return pcs.iter().all(|pc| visit(Frame { pc: *pc as u64, offset: *pc as u64, ..Frame::default() }));
    };
    let name = module.path;
    let file = MappedFile::open(name);
    let mut lookups = [Lookup::new(0); DEPTH_MAX];
    let wanted = &mut lookups[..pcs.len()];
    // The call is before the return address, which may lie behind the end of its function.
    for (lookup, pc) in wanted.iter_mut().zip(pcs) {
        lookup.address = pc.wrapping_sub(module.base).wrapping_sub(1) as u64;
    }
    let elf = file.as_ref().and_then(|file| Elf::parse(file.bytes()).ok());
    if let Some(elf) = &elf {
        let symbols = elf.symbols();
        resolve(&if symbols.is_empty() { elf.dynamic_symbols() } else { symbols }, wanted);
    }
    pcs.iter().all(|pc| {
        let offset = pc.wrapping_sub(module.base) as u64;
        let found = wanted.iter().find(|lookup| lookup.address == offset.wrapping_sub(1));
        let symbol = found.and_then(|lookup| lookup.symbol).map(|symbol| (symbol.name, offset - symbol.address));
        visit(Frame { pc: *pc as u64, module: name, offset, symbol })
    })
}
