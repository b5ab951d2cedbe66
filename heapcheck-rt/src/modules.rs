#![expect(unsafe_code, reason = "reads what dl_iterate_phdr(3) shows")]
//! The modules of this process: the program, its shared libraries, the loader, the runtime itself.
//!
//! Taken with dl_iterate_phdr(3), which holds the loader's lock: so it is done *before* the world stops, by a thread
//! that holds no lock of the runtime but may wait for the arena's, which is a leaf. Facts are copied out, names and
//! build ids included; nothing here points into the loader's memory. A module that is closed afterwards leaves ranges
//! behind that are no longer mapped, which is why roots are clipped to the mappings of the stopped world.
//!
//! # Safety
//! While the callback runs, the loader keeps the module mapped, its program headers, name and notes with it (ELF
//! gABI, program headers: a PT_NOTE inside a PT_LOAD is readable at base + p_vaddr).

use crate::arch;
use crate::arena::{Arena, Buf};
use crate::closed::{ClosedList, File};
use crate::intervals::Span;
use crate::limits::STATIC_TLS_MAX;
use crate::space::{Grow, OutOfMemory};
use crate::sys;
use crate::sys::libc::{self, ModuleInfo, ProgramHeader};
use crate::unwind::Found;
use core::ffi::{CStr, c_int, c_void};

/// What a module is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The executable. A static one holds the runtime too.
    Program,
    /// The runtime's own object.
    Runtime,
    /// The dynamic loader; in musl it is libc as well.
    Loader,
    /// The C library.
    Libc,
    /// The kernel's vdso.
    Vdso,
    /// Any other.
    Library,
}

/// Thread-local storage of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// None.
    Absent,
    /// At a fixed distance below each thread's pointer.
    Static {
        /// The distance.
        below: usize,
        /// Its bytes.
        size: usize,
    },
    /// Found through each thread's vector of modules, at this number.
    Dynamic {
        /// The number.
        module: usize,
        /// Its bytes.
        size: usize,
    },
}

/// A module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    /// What the loader added to the addresses of the file.
    pub(crate) base: usize,
    /// The lowest and highest address of its segments.
    pub(crate) lo: usize,
    pub(crate) hi: usize,
    pub(crate) role: Role,
    pub(crate) tls: Tls,
    /// The address of `.eh_frame_hdr`, or zero.
    pub(crate) eh_frame_hdr: usize,
    /// Ranges in the pools of [`Modules`].
    segments: (u32, u32),
    name: (u32, u32),
    build_id: (u32, u32),
}

/// A segment of a module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) span: Span,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

/// The modules, the program first, as the loader orders them.
#[derive(Debug)]
pub(crate) struct Modules {
    list: Buf<Module>,
    segments: Buf<Segment>,
    bytes: Buf<u8>,
    /// Those that were loaded once and are not any more.
    pub(crate) closed: ClosedList,
    /// How often a module came or went so far (dl_iterate_phdr(3), `dlpi_adds` and `dlpi_subs`).
    changes: u64,
    failed: bool,
}

impl Modules {
    /// Takes the list. `heap` is where blocks live: thread-local storage there was allocated, so it is not static.
    pub(crate) fn take(arena: &'static Arena, heap: Span) -> Result<Self, OutOfMemory> {
        Self::take_with(arena, heap, true)
    }

    /// The same without the program's name, which is a system call and the walk along a path.
    pub(crate) fn take_briefly(arena: &'static Arena, heap: Span) -> Result<Self, OutOfMemory> {
        Self::take_with(arena, heap, false)
    }

    fn take_with(arena: &'static Arena, heap: Span, names_program: bool) -> Result<Self, OutOfMemory> {
        let modules = Self {
            list: Buf::new(arena),
            segments: Buf::new(arena),
            bytes: Buf::new(arena),
            closed: ClosedList::new(arena),
            changes: 0,
            failed: false,
        };
        let mut taking = Taking { modules, heap, names_program };
        // SAFETY: `visit` gets back the pointer to `taking`, which nobody else uses until the call returns.
        unsafe { libc::dl_iterate_phdr(visit, (&raw mut taking).cast()) };
        if taking.modules.failed { Err(OutOfMemory) } else { Ok(taking.modules) }
    }

    /// Every module.
    pub(crate) fn all(&self) -> &[Module] {
        self.list.as_slice()
    }

    /// The segments of `module`.
    pub(crate) fn segments(&self, module: &Module) -> &[Segment] {
        &self.segments.as_slice()[module.segments.0 as usize..module.segments.1 as usize]
    }

    /// Its path; empty when even the kernel does not know it.
    pub(crate) fn name(&self, module: &Module) -> &[u8] {
        &self.bytes.as_slice()[module.name.0 as usize..module.name.1 as usize]
    }

    /// Its GNU build id; empty when it has none.
    pub(crate) fn build_id(&self, module: &Module) -> &[u8] {
        &self.bytes.as_slice()[module.build_id.0 as usize..module.build_id.1 as usize]
    }

    /// Finds the number of the module that has a segment at `address`.
    pub(crate) fn find(&self, address: usize) -> Option<usize> {
        let holds =
            |module: &Module| self.segments(module).iter().any(|segment| segment.span.contains(address));
        self.all().iter().position(|module| (module.lo..module.hi).contains(&address) && holds(module))
    }

    /// The unwind tables of the module that has a segment at `address`.
    pub(crate) fn tables_of(&self, address: usize) -> Option<Found> {
        let module = &self.all()[self.find(address)?];
        Found::in_module(module.lo, module.hi, module.eh_frame_hdr)
    }

    /// The file of a module, as traces may refer to it.
    pub(crate) fn file(&self, module: &Module) -> File<'_> {
        let Module { base, lo, hi, .. } = *module;
        let (trace_from, trace_to) = (self.closed.first_trace(lo, hi), u32::MAX);
        let (path, build_id) = (self.name(module), self.build_id(module));
        File { base, lo, hi, trace_from, trace_to, path, build_id }
    }

    /// Finds the file that lies or lay at `address` for a trace.
    pub(crate) fn find_file(&self, address: usize, trace: u32) -> Option<File<'_>> {
        let loaded =
            || Some(self.file(&self.all()[self.find(address)?])).filter(|file| file.trace_from <= trace);
        self.closed.find(address, trace).or_else(loaded)
    }

    /// Whether `other` holds `module` too, at the same place.
    pub(crate) fn is_in(&self, module: &Module, other: &Modules) -> bool {
        other.all().iter().any(|found| {
            (found.base, found.lo) == (module.base, module.lo)
                && other.name(found) == self.name(module)
                && other.build_id(found) == self.build_id(module)
        })
    }

    /// A number that is another one when the modules are.
    pub(crate) fn version(&self) -> u64 {
        self.changes + self.closed.changes()
    }

    /// How far below the thread pointer static thread-local storage begins.
    pub(crate) fn static_tls_depth(&self) -> usize {
        let depth = |module: &Module| if let Tls::Static { below, .. } = module.tls { below } else { 0 };
        self.all().iter().map(depth).max().unwrap_or(0)
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Result<(u32, u32), OutOfMemory> {
        let start = self.bytes.as_slice().len() as u32;
        self.bytes.extend(bytes)?;
        Ok((start, start + bytes.len() as u32))
    }
}

struct Taking {
    modules: Modules,
    heap: Span,
    names_program: bool,
}

extern "C" fn visit(info: &ModuleInfo, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `data` is what `Modules::take` passed.
    let taking = unsafe { &mut *data.cast::<Taking>() };
    let failed = add(taking, info, size).is_err();
    taking.modules.failed |= failed;
    c_int::from(failed)
}

fn add(taking: &mut Taking, info: &ModuleInfo, size: usize) -> Result<(), OutOfMemory> {
    let headers = info.headers();
    let modules = &mut taking.modules;
    // The two numbers came with glibc 2.4; `size` tells whether they are there.
    if size >= size_of::<ModuleInfo>() {
        modules.changes = info.adds + info.subs;
    }
    let first_segment = modules.segments.as_slice().len() as u32;
    let (mut lo, mut hi, mut eh_frame_hdr, mut is_ours) = (usize::MAX, 0, 0, false);
    let mut tls = Tls::Absent;
    for header in headers {
        let start = info.base.wrapping_add(header.address as usize);
        let span = Span::new(start, start.wrapping_add(header.memory_size as usize));
        match header.kind {
            libc::PT_LOAD => {
                lo = lo.min(span.start);
                hi = hi.max(span.end);
                is_ours |= span.contains(visit as *const () as usize);
                let writable = header.flags & libc::PF_W != 0;
                let executable = header.flags & libc::PF_X != 0;
                modules.segments.push(Segment { span, writable, executable })?;
            }
            libc::PT_GNU_EH_FRAME => eh_frame_hdr = start,
            // The two fields came with glibc 2.4; `size` tells whether they are there (dl_iterate_phdr(3)).
            libc::PT_TLS if size >= size_of::<ModuleInfo>() => tls = tls_of(info, header, taking.heap),
            _ => {}
        }
    }
    let is_program = modules.list.as_slice().is_empty();
    let mut link = [0u8; 4096];
    // SAFETY: the loader's name is null or ends with a zero byte.
    let given = if info.name.is_null() { &[][..] } else { unsafe { CStr::from_ptr(info.name) }.to_bytes() };
    let path = if is_program && taking.names_program && !given.starts_with(b"/") {
        // An emulator answers for the process alone, and the kernel for the thread alone when the first one has ended.
        let length = sys::read_link(b"/proc/self/exe\0", &mut link)
            .or_else(|_| sys::read_link(b"/proc/thread-self/exe\0", &mut link));
        length.map_or(given, |bytes| &link[..bytes])
    } else {
        given
    };
    let name = modules.add_bytes(path)?;
    let build_id = match build_id_of(info.base, headers) {
        Some(id) => modules.add_bytes(id)?,
        None => (0, 0),
    };
    let segments = (first_segment, modules.segments.as_slice().len() as u32);
    let role = role_of(path, is_program, is_ours);
    modules.list.push(Module { base: info.base, lo, hi, role, tls, eh_frame_hdr, segments, name, build_id })
}

/// Decides where each thread has its copy. The loader shows the calling thread's; it is static when it lies below the
/// thread pointer within reach, outside the heap, and the loader does not remember it as something to free.
fn tls_of(info: &ModuleInfo, header: &ProgramHeader, heap: Span) -> Tls {
    let pointer = arch::thread_pointer();
    let size = header.memory_size as usize;
    let below = pointer.wrapping_sub(info.tls_data);
    let near =
        info.tls_data != 0 && below >= size && below <= STATIC_TLS_MAX && !heap.contains(info.tls_data);
    // SAFETY: a thread pointer of a thread that runs code of the loader is initialised.
    let owned = unsafe { crate::threadarea::is_owned_by_loader(pointer, info.tls_module) };
    if near && !owned { Tls::Static { below, size } } else { Tls::Dynamic { module: info.tls_module, size } }
}

fn role_of(path: &[u8], is_program: bool, is_ours: bool) -> Role {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    if is_program {
        Role::Program
    } else if is_ours {
        Role::Runtime
    } else if file.starts_with(b"ld-") || file.starts_with(b"ld.so") {
        Role::Loader
    } else if file.starts_with(b"libc.so") || file.starts_with(b"libc-2.") || file.starts_with(b"libc.musl") {
        Role::Libc
    } else if file.starts_with(b"linux-vdso") || file.starts_with(b"linux-gate") {
        Role::Vdso
    } else {
        Role::Library
    }
}

/// Finds the descriptor of the note `GNU`, type 3 (ELF gABI, note section; ld(1) `--build-id`).
fn build_id_of(base: usize, headers: &[ProgramHeader]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    for header in headers.iter().filter(|header| header.kind == libc::PT_NOTE) {
        let start = base.wrapping_add(header.address as usize);
        let end = start.wrapping_add(header.memory_size as usize);
        let loaded = |load: &&ProgramHeader| {
            let at = base.wrapping_add(load.address as usize);
            load.kind == libc::PT_LOAD && at <= start && end <= at.wrapping_add(load.memory_size as usize)
        };
        if headers.iter().find(loaded).is_none() {
            continue;
        }
        // SAFETY: the note lies in a loaded segment, see the head of this file.
        let mut notes = unsafe { core::slice::from_raw_parts(start as *const u8, end - start) };
        let align = (header.align as usize).clamp(4, 8);
        while let [a, b, c, d, e, f, g, h, i, j, k, l, rest @ ..] = notes {
            let name_len = u32::from_ne_bytes([*a, *b, *c, *d]) as usize;
            let id_len = u32::from_ne_bytes([*e, *f, *g, *h]) as usize;
            let kind = u32::from_ne_bytes([*i, *j, *k, *l]);
            let id_at = (12 + name_len).next_multiple_of(align) - 12;
            let Some(id) = rest.get(id_at..id_at + id_len) else { break };
            if kind == NT_GNU_BUILD_ID && rest.starts_with(b"GNU\0") {
                return Some(id);
            }
            let next = (id_at + 12 + id_len).next_multiple_of(align) - 12;
            notes = rest.get(next..).unwrap_or_default();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Modules, Role, Tls};
    use crate::arch;
    use crate::intervals::Span;
    use crate::testbed::arena;

    #[test]
    fn this_process_has_itself_libc_and_static_tls_where_the_compiler_sees_it() {
        arena!(ARENA);
        let modules = Modules::take(&ARENA, Span::new(0, 0)).expect("modules");
        let own = modules.find(Modules::take as *const () as usize).expect("own module");
        let own = &modules.all()[own];
        assert_eq!(own.role, Role::Program);
        assert!(modules.name(own).starts_with(b"/"));
        assert!(own.eh_frame_hdr != 0 && modules.segments(own).iter().any(|segment| segment.executable));
        let Tls::Static { below, size } = own.tls else { panic!("{:?}", own.tls) };
        let word = arch::thread_pointer().wrapping_add_signed(arch::tls_offset());
        assert!((arch::thread_pointer() - below..arch::thread_pointer() - below + size).contains(&word));
        if modules.all().iter().all(|module| module.role != Role::Loader) {
            eprintln!("skipped in part: this is a static program, which has one module");
            return;
        }
        let libc = modules.all().iter().find(|module| module.role == Role::Libc).expect("libc");
        assert!(matches!(libc.tls, Tls::Static { .. }), "{:?}", libc.tls);
        assert!((16..=32).contains(&modules.build_id(libc).len()));
        assert!(modules.all().iter().any(|module| module.role == Role::Loader));
    }
}
