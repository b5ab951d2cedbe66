#![expect(unsafe_code, reason = "declarations of foreign functions")]
//! The functions that only libc can do, declared here and nowhere else.

use core::ffi::{c_char, c_int, c_void};

/// What dl_iterate_phdr(3) tells of a module.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ModuleInfo {
    pub(crate) base: usize,
    pub(crate) name: *const c_char,
    headers: *const ProgramHeader,
    header_count: u16,
    pub(crate) adds: u64,
    pub(crate) subs: u64,
    pub(crate) tls_module: usize,
    pub(crate) tls_data: usize,
}

impl ModuleInfo {
    /// Its program headers. A static program has none yet while libc sets it up.
    pub(crate) fn headers(&self) -> &[ProgramHeader] {
        if self.headers.is_null() {
            return &[];
        }
        // SAFETY: libc shows as many headers, and they stay while it does.
        unsafe { core::slice::from_raw_parts(self.headers, usize::from(self.header_count)) }
    }
}

/// Elf64_Phdr.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) physical: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
    pub(crate) align: u64,
}

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_INTERP: u32 = 3;
pub(crate) const PT_NOTE: u32 = 4;
pub(crate) const PT_TLS: u32 = 7;
pub(crate) const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
pub(crate) const PF_X: u32 = 1;
pub(crate) const PF_W: u32 = 2;

unsafe extern "C" {
    pub(crate) fn dl_iterate_phdr(
        visit: extern "C" fn(&ModuleInfo, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    pub(crate) fn fflush(stream: *mut c_void) -> c_int;
    pub(crate) fn ftrylockfile(stream: *mut c_void) -> c_int;
    pub(crate) fn funlockfile(stream: *mut c_void);
    pub(crate) fn __errno_location() -> *mut c_int;
    pub(crate) fn __cxa_atexit(f: extern "C" fn(*mut c_void), arg: *mut c_void, dso: *mut c_void) -> c_int;
    pub(crate) fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
    pub(crate) fn pthread_key_create(key: *mut u32, destructor: Option<extern "C" fn(*mut c_void)>) -> c_int;
    pub(crate) fn pthread_getattr_np(thread: usize, attributes: *mut [u64; 16]) -> c_int;
    pub(crate) fn pthread_attr_getstacksize(attributes: *const c_void, bytes: *mut usize) -> c_int;
    pub(crate) fn pthread_attr_getstack(
        attributes: *const [u64; 16],
        low: *mut usize,
        bytes: *mut usize,
    ) -> c_int;
    pub(crate) fn pthread_attr_destroy(attributes: *mut [u64; 16]) -> c_int;
    pub(crate) fn pthread_self() -> usize;
    pub(crate) fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
}

/// Sets the calling thread's `errno`.
pub(crate) fn set_errno(number: i32) {
    // SAFETY: libc gives a valid pointer to the calling thread's own errno (errno(3)).
    unsafe { *__errno_location() = number };
}
