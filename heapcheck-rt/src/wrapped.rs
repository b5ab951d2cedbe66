#![forbid(unsafe_code)]
//! The functions of libc that the runtime stands in front of in a static program.
//!
//! There is no dynamic linker there, so the program's own linker sends the calls to the runtime's object: `--wrap=malloc`
//! turns `malloc` into `__wrap_malloc`, and `__real_malloc` into `malloc` (ld(1)), in the objects of libc as well. The
//! object and libc need each other, so libc must come behind the object once more where it came before it (`-lc`).

/// Every name to wrap, in the order of the alphabet.
pub const NAMES: &[&str] = &[
    "_Exit",
    "__libc_start_main",
    "_exit",
    "abort",
    "aligned_alloc",
    "calloc",
    "cfree",
    "exit",
    "free",
    "free_aligned_sized",
    "free_sized",
    "mallinfo",
    "mallinfo2",
    "malloc",
    "malloc_stats",
    "malloc_trim",
    "malloc_usable_size",
    "mallopt",
    "memalign",
    "posix_memalign",
    "pthread_create",
    "pthread_detach",
    "pthread_exit",
    "pthread_join",
    "pvalloc",
    "quick_exit",
    "realloc",
    "reallocarray",
    "sigaction",
    "signal",
    "valloc",
];

/// The arguments that make a compiler's linker wrap them, and make a table of the frames that can be searched: gcc asks
/// for one in dynamic programs only.
pub fn linker_arguments() -> impl Iterator<Item = String> {
    let wraps = NAMES.iter().map(|name| format!("-Wl,--wrap={name}"));
    wraps.chain(["-Wl,--eh-frame-hdr".to_string()])
}
