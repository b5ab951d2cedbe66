#![forbid(unsafe_code)]
//! The functions of known allocators, and what stands in for each.
//!
//! A name is a family's prefix and a base name. What a function does is said by its [`Hook`]: hooks are told apart by
//! arguments and meaning, so one serves several families. Arguments behind those that a hook reads are passed over,
//! which the C calling convention allows: `mi_free_size(p, size)` is served by [`Hook::Free`].
//!
//! Only functions that programs call are here, none of an allocator's inner ones: those may be inlined into each other.

/// What stands in for a function. The letters are its arguments: `s`ize, `c`ount, `a`lignment, `p`ointer, `f`lags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `(s)`
    Alloc,
    /// `(s)`, zeroed
    AllocZeroed,
    /// `(c, s)`, zeroed
    Calloc,
    /// `(c, s)`
    AllocArray,
    /// `(s, a)`
    AllocAligned,
    /// `(s, a)`, zeroed
    AllocAlignedZeroed,
    /// `(c, s, a)`, zeroed
    CallocAligned,
    /// `(a, s)`
    Memalign,
    /// `(a, s)`, zeroed
    MemalignZeroed,
    /// `(where to store, a, s)`, answers an errno
    PosixMemalign,
    /// `(s)`, aligned to a page
    Valloc,
    /// `(s)`, aligned to a page, the size too
    Pvalloc,
    /// `(s)`, never null
    New,
    /// `(s, a)`, never null
    NewAligned,
    /// `(s, f)` with jemalloc's flags
    Mallocx,
    /// `(p, s, f)` with jemalloc's flags
    Rallocx,
    /// `(p, s)`
    Realloc,
    /// `(p, s)`, frees the block when it fails
    Reallocf,
    /// `(p, c, s)`
    ReallocArray,
    /// `(p, s, a)`
    ReallocAligned,
    /// `(p, s)`, what is gained is zeroed
    Rezalloc,
    /// `(p, c, s)`, what is gained is zeroed
    Recalloc,
    /// `(p, old s, a, s)`
    RustRealloc,
    /// `(p, a, old s, s)`
    SnRealloc,
    /// `(p, ..)`
    Free,
    /// `(p, ..)` to how many bytes it may use
    UsableSize,
    /// `(p, s)`, never grows a block in place
    Expand,
    /// `(string)`
    Strdup,
    /// `(string, at most s)`
    Strndup,
}

/// What a name means for coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is overwritten with a jump to this.
    Patch(Hook),
    /// It gives out or takes back blocks in a way that has no stand-in.
    Refuse,
}

/// Functions that are told by the same prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// mimalloc's `mi_`.
    Mimalloc,
    /// jemalloc with a prefix, as tikv-jemalloc-sys builds it.
    Jemalloc,
    /// snmalloc's `sn_`.
    Snmalloc,
    /// gperftools' `tc_`.
    Tcmalloc,
    /// `malloc` itself, where a program brings its own.
    Libc,
    /// C++'s `operator new` and `delete`, where a program brings its own `malloc`.
    Cxx,
}

/// Base names, and what each means.
type Functions = &'static [(&'static str, Meaning)];

use Hook::*;
use Meaning::{Patch, Refuse};

const MIMALLOC: Functions = &[
    ("malloc", Patch(Alloc)),
    ("malloc_small", Patch(Alloc)),
    ("zalloc", Patch(AllocZeroed)),
    ("zalloc_small", Patch(AllocZeroed)),
    ("calloc", Patch(Calloc)),
    ("mallocn", Patch(AllocArray)),
    ("malloc_aligned", Patch(AllocAligned)),
    ("zalloc_aligned", Patch(AllocAlignedZeroed)),
    ("calloc_aligned", Patch(CallocAligned)),
    ("realloc", Patch(Realloc)),
    ("reallocn", Patch(ReallocArray)),
    ("reallocarray", Patch(ReallocArray)),
    ("reallocf", Patch(Reallocf)),
    ("realloc_aligned", Patch(ReallocAligned)),
    ("rezalloc", Patch(Rezalloc)),
    ("recalloc", Patch(Recalloc)),
    ("expand", Patch(Expand)),
    ("_expand", Patch(Expand)),
    ("free", Patch(Free)),
    ("free_small", Patch(Free)),
    ("free_size", Patch(Free)),
    ("free_size_aligned", Patch(Free)),
    ("free_aligned", Patch(Free)),
    ("cfree", Patch(Free)),
    ("usable_size", Patch(UsableSize)),
    ("malloc_size", Patch(UsableSize)),
    ("malloc_usable_size", Patch(UsableSize)),
    ("posix_memalign", Patch(PosixMemalign)),
    ("memalign", Patch(Memalign)),
    ("aligned_alloc", Patch(Memalign)),
    ("valloc", Patch(Valloc)),
    ("pvalloc", Patch(Pvalloc)),
    ("strdup", Patch(Strdup)),
    ("strndup", Patch(Strndup)),
    ("new", Patch(New)),
    ("new_aligned", Patch(NewAligned)),
    ("new_nothrow", Patch(Alloc)),
    ("new_aligned_nothrow", Patch(AllocAligned)),
    // Heaps that are freed as a whole.
    ("heap_new", Refuse),
    ("heap_new_ex", Refuse),
    ("heap_new_in_arena", Refuse),
    // These tell block sizes through pointers.
    ("umalloc", Refuse),
    ("ucalloc", Refuse),
    ("urealloc", Refuse),
    ("ufree", Refuse),
    ("umalloc_aligned", Refuse),
    ("uzalloc_aligned", Refuse),
    ("umalloc_small", Refuse),
    ("uzalloc_small", Refuse),
    // An address inside the block is aligned, not its first.
    ("malloc_aligned_at", Refuse),
    ("zalloc_aligned_at", Refuse),
    ("calloc_aligned_at", Refuse),
    ("realloc_aligned_at", Refuse),
    ("rezalloc_aligned", Refuse),
    ("rezalloc_aligned_at", Refuse),
    ("recalloc_aligned", Refuse),
    ("recalloc_aligned_at", Refuse),
    ("aligned_recalloc", Refuse),
    ("aligned_offset_recalloc", Refuse),
    ("reallocarr", Refuse),
    ("realpath", Refuse),
    ("dupenv_s", Refuse),
    ("wdupenv_s", Refuse),
    ("wcsdup", Refuse),
    ("mbsdup", Refuse),
    ("new_n", Refuse),
    ("new_realloc", Refuse),
    ("new_reallocn", Refuse),
];

const LIBC: Functions = &[
    ("malloc", Patch(Alloc)),
    ("calloc", Patch(Calloc)),
    ("realloc", Patch(Realloc)),
    ("reallocarray", Patch(ReallocArray)),
    ("free", Patch(Free)),
    ("cfree", Patch(Free)),
    ("free_sized", Patch(Free)),
    ("free_aligned_sized", Patch(Free)),
    ("posix_memalign", Patch(PosixMemalign)),
    ("aligned_alloc", Patch(Memalign)),
    ("memalign", Patch(Memalign)),
    ("valloc", Patch(Valloc)),
    ("pvalloc", Patch(Pvalloc)),
    ("malloc_usable_size", Patch(UsableSize)),
    ("malloc_size", Patch(UsableSize)),
    // jemalloc has these beside the standard names, with the same prefix or without one.
    ("mallocx", Patch(Mallocx)),
    ("rallocx", Patch(Rallocx)),
    ("xallocx", Patch(UsableSize)),
    ("sallocx", Patch(UsableSize)),
    ("dallocx", Patch(Free)),
    ("sdallocx", Patch(Free)),
    ("smallocx", Refuse),
];

const SNMALLOC: Functions = &[
    ("rust_alloc", Patch(Memalign)),
    ("rust_alloc_zeroed", Patch(MemalignZeroed)),
    ("rust_dealloc", Patch(Free)),
    ("rust_realloc", Patch(SnRealloc)),
    ("rust_usable_size", Patch(UsableSize)),
    ("malloc", Patch(Alloc)),
    ("calloc", Patch(Calloc)),
    ("realloc", Patch(Realloc)),
    ("free", Patch(Free)),
    ("memalign", Patch(Memalign)),
    ("aligned_alloc", Patch(Memalign)),
    ("posix_memalign", Patch(PosixMemalign)),
    ("malloc_usable_size", Patch(UsableSize)),
];

const TCMALLOC: Functions = &[
    ("malloc", Patch(Alloc)),
    ("malloc_skip_new_handler", Patch(Alloc)),
    ("calloc", Patch(Calloc)),
    ("realloc", Patch(Realloc)),
    ("free", Patch(Free)),
    ("free_sized", Patch(Free)),
    ("free_aligned_sized", Patch(Free)),
    ("cfree", Patch(Free)),
    ("posix_memalign", Patch(PosixMemalign)),
    ("memalign", Patch(Memalign)),
    ("valloc", Patch(Valloc)),
    ("pvalloc", Patch(Pvalloc)),
    ("malloc_size", Patch(UsableSize)),
    ("new", Patch(New)),
    ("newarray", Patch(New)),
    ("new_nothrow", Patch(Alloc)),
    ("newarray_nothrow", Patch(Alloc)),
    ("new_aligned", Patch(NewAligned)),
    ("newarray_aligned", Patch(NewAligned)),
    ("new_aligned_nothrow", Patch(AllocAligned)),
    ("newarray_aligned_nothrow", Patch(AllocAligned)),
    ("delete", Patch(Free)),
    ("deletearray", Patch(Free)),
    ("delete_nothrow", Patch(Free)),
    ("deletearray_nothrow", Patch(Free)),
    ("delete_sized", Patch(Free)),
    ("deletearray_sized", Patch(Free)),
    ("delete_aligned", Patch(Free)),
    ("deletearray_aligned", Patch(Free)),
    ("delete_aligned_nothrow", Patch(Free)),
    ("deletearray_aligned_nothrow", Patch(Free)),
    ("delete_sized_aligned", Patch(Free)),
    ("deletearray_sized_aligned", Patch(Free)),
];

/// Mangled by the Itanium ABI: `nw` and `na` are `new` and `new[]`, `dl` and `da` their counterparts.
const CXX: Functions = &[
    ("nwm", Patch(New)),
    ("nam", Patch(New)),
    ("nwmRKSt9nothrow_t", Patch(Alloc)),
    ("namRKSt9nothrow_t", Patch(Alloc)),
    ("nwmSt11align_val_t", Patch(NewAligned)),
    ("namSt11align_val_t", Patch(NewAligned)),
    ("nwmSt11align_val_tRKSt9nothrow_t", Patch(AllocAligned)),
    ("namSt11align_val_tRKSt9nothrow_t", Patch(AllocAligned)),
    ("dlPv", Patch(Free)),
    ("daPv", Patch(Free)),
    ("dlPvm", Patch(Free)),
    ("daPvm", Patch(Free)),
    ("dlPvRKSt9nothrow_t", Patch(Free)),
    ("daPvRKSt9nothrow_t", Patch(Free)),
    ("dlPvSt11align_val_t", Patch(Free)),
    ("daPvSt11align_val_t", Patch(Free)),
    ("dlPvmSt11align_val_t", Patch(Free)),
    ("daPvmSt11align_val_t", Patch(Free)),
    ("dlPvSt11align_val_tRKSt9nothrow_t", Patch(Free)),
    ("daPvSt11align_val_tRKSt9nothrow_t", Patch(Free)),
];

/// A longer prefix stands before one that it begins with.
const FAMILIES: &[(&str, Family, Functions)] = &[
    ("mi_", Family::Mimalloc, MIMALLOC),
    ("_rjem_", Family::Jemalloc, LIBC),
    ("je_", Family::Jemalloc, LIBC),
    ("sn_", Family::Snmalloc, SNMALLOC),
    ("tc_", Family::Tcmalloc, TCMALLOC),
    ("_Z", Family::Cxx, CXX),
    ("", Family::Libc, LIBC),
];

/// What `name` means, if it is a function of a known allocator.
pub(super) fn meaning_of(name: &[u8]) -> Option<(Family, Meaning)> {
    // Longer names are no function of the table, and mangled Rust names, the bulk of a program, end here.
    if name.len() > LONGEST {
        return None;
    }
    FAMILIES.iter().find_map(|(prefix, family, functions)| {
        let base = name.strip_prefix(prefix.as_bytes())?;
        let (_, meaning) = functions.iter().find(|(known, _)| known.as_bytes() == base)?;
        Some((*family, *meaning))
    })
}

const LONGEST: usize = "_ZdlPvSt11align_val_tRKSt9nothrow_t".len();

/// What a stripped file still says about the allocator in it: a string that the allocator prints.
pub(super) const MARKERS: &[&[u8]] = &[b"mimalloc: ", b"<jemalloc>: ", b"snmalloc", b"tcmalloc: "];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_family_and_base() {
        let check = |name: &str, wanted| assert_eq!(meaning_of(name.as_bytes()), wanted, "{name}");
        check("mi_malloc_aligned", Some((Family::Mimalloc, Patch(AllocAligned))));
        check("_rjem_sdallocx", Some((Family::Jemalloc, Patch(Free))));
        check("sdallocx", Some((Family::Libc, Patch(Free))));
        check("sn_rust_alloc", Some((Family::Snmalloc, Patch(Memalign))));
        check("_Znwm", Some((Family::Cxx, Patch(New))));
        check("mi_heap_new", Some((Family::Mimalloc, Refuse)));
        check("mi_", None);
        check("", None);
        check("my_malloc", None);
    }

    #[test]
    fn no_name_stands_twice_and_none_is_longer_than_the_bound() {
        for (prefix, _, functions) in FAMILIES {
            for (index, (name, _)) in functions.iter().enumerate() {
                assert!(prefix.len() + name.len() <= LONGEST, "{name}");
                assert!(!functions[..index].iter().any(|(other, _)| other == name), "{name}");
            }
        }
    }
}
