#![expect(unsafe_code, reason = "defines the functions of libc in the crate that asks for it")]
//! heapcheck's runtime inside a test binary. Use it through the feature `standalone` of heapcheck-rt, which documents it.
//!
//! Cargo builds a crate once for a whole workspace, with the features that any member asks for. So this crate may be in
//! binaries that never asked for it, and must do nothing there: **nothing here defines `malloc`**. A linker takes every
//! member of an archive that defines what is still missing, and `malloc` always is. The runtime therefore lies in this
//! crate's archive under names that nobody else uses (`heapcheck_linked_malloc`), and stays there.
//!
//! What defines `malloc` is [`link`], and only in a crate that instantiates it for a type of its own: the code of a generic
//! function is generated where it is instantiated. That is what [`standalone!`] does, without a word of unsafe code in that
//! crate. The entries lie in a section group, so that any number of instances are one.
//!
//! ```text
//!   test crate: link::<Here>                   this crate's archive                 a preloaded runtime, if there is one
//!     malloc: is heapcheck_preloaded_malloc  -no-> heapcheck_linked_malloc
//!             in the process?                -yes--------------------------------> heapcheck_preloaded_malloc
//! ```
//!
//! The question is a weak reference, which the loader has answered before any code runs, so no call goes astray. The jump
//! keeps the caller's registers and stack: both runtimes see the caller as if it had called them.
//!
//! # Safety
//! Nobody calls `link`. What it assembles are jumps between functions of the same type.

#![no_std]

/// Writes the entries as assembly text, each after the word for how it is bound.
#[cfg(heapcheck_fits)]
macro_rules! entries {
    ($($binding:literal: $($name:literal)*;)*) => {
        concat!(
            ".ifndef heapcheck_entries\n",
            ".pushsection .text.heapcheck_entries,\"axG\",@progbits,heapcheck_entries,comdat\n",
            ".globl heapcheck_entries\n.hidden heapcheck_entries\nheapcheck_entries:\n",
            $($(
                ".p2align 4\n", $binding, " ", $name, "\n.type ", $name, ",@function\n", $name, ":\n",
                ".weak heapcheck_preloaded_", $name, "\n",
                "mov r11, qword ptr [rip + heapcheck_preloaded_", $name, "@GOTPCREL]\n",
                "test r11, r11\n",
                "je heapcheck_linked_", $name, "\n",
                "jmp r11\n",
                ".size ", $name, ", . - ", $name, "\n",
            )*)*
            ".popsection\n",
            ".endif",
        )
    };
}

/// Defines in the instantiating crate what the runtime stands in front of, and the functions of its interface.
#[cfg(heapcheck_fits)]
#[doc(hidden)]
#[inline(never)]
#[allow(named_asm_labels, reason = "the labels are functions, and a group keeps each one unique")]
pub fn link<T>() {
    // SAFETY: what is executed here is nothing; the entries lie in a section of their own.
    unsafe {
        core::arch::asm!(
            entries! {
                ".globl":
                "malloc" "calloc" "realloc" "reallocarray" "free" "cfree" "free_sized" "free_aligned_sized"
                "aligned_alloc" "memalign" "posix_memalign" "valloc" "pvalloc"
                "malloc_usable_size" "malloc_trim" "mallopt" "malloc_stats" "mallinfo" "mallinfo2"
                "__libc_start_main" "exit" "quick_exit" "_exit" "_Exit" "abort" "sigaction" "signal" "dlclose"
                "pthread_create" "pthread_join" "pthread_detach" "pthread_exit";
                // Who may run without the runtime refers to these weakly, perhaps in the same object (by LTO): they are
                // bound alike.
                ".weak":
                "heapcheck_is_active" "heapcheck_mode" "heapcheck_check_now" "heapcheck_note_failure"
                "heapcheck_scope_begin" "heapcheck_scope_open" "heapcheck_scope_enter" "heapcheck_scope_current"
                "heapcheck_scope_sums" "heapcheck_scope_judge" "heapcheck_scope_baseline"
                "heapcheck_scope_growth" "heapcheck_scope_check" "heapcheck_scope_end"
                "heapcheck_disable" "heapcheck_enable" "heapcheck_ignore" "heapcheck_ignore_value"
                "heapcheck_root_region_add" "heapcheck_root_region_remove"
                "__lsan_disable" "__lsan_enable" "__lsan_ignore_object" "__lsan_register_root_region"
                "__lsan_unregister_root_region" "__lsan_do_recoverable_leak_check" "__lsan_do_leak_check";
            },
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// Links heapcheck's runtime into this test binary, so that plain `cargo test` checks the tests with `#[heapcheck]`.
///
/// It stands once in the root of a test crate: of `src/lib.rs`, or of a file in `tests`. Elsewhere than in tests it is
/// nothing, and so it never gets into a program or into a crate that depends on this one.
#[cfg(heapcheck_fits)]
#[macro_export]
macro_rules! standalone {
    () => {
        #[cfg(test)]
        const _: () = {
            enum Here {}
            #[used]
            static LINKED: fn() = $crate::link::<Here>;
        };
    };
}

/// Says in the list of tests that nothing is checked here: this target has no place for heapcheck's runtime.
#[cfg(not(heapcheck_fits))]
#[macro_export]
macro_rules! standalone {
    () => {
        #[cfg(test)]
        #[test]
        #[ignore = "heapcheck: standalone works on x86-64 Linux with a shared glibc; nothing is checked here"]
        fn heapcheck_standalone() {}
    };
}
