//! The injected runtime: crate root of the object that the tool compiles and preloads (or links, for static programs).
//!
//! The modules stand bottom-up: each one uses only those above it. It has no dependency and no std, because it runs
//! inside somebody's `malloc`.

#![no_std]
#![deny(unsafe_code, unsafe_op_in_unsafe_fn)]
// The pure modules are shared with the library, which uses more of them.
#![allow(dead_code, unused_imports, unused_macros, reason = "the library uses what is unused here")]

pub mod contract;
pub mod space;
pub mod limits;
pub mod sink;
pub mod text;
pub mod demangle;
pub mod suppress;
pub mod options;
pub mod record;
pub mod plain;
pub mod elf;
pub mod cfi;
pub mod rule;
pub mod mark;
mod paths;
mod inuse;
pub mod classify;
mod contents;
pub mod foreign;
pub mod classes;
mod intervals;
mod mapline;
mod taskstat;
mod rootkinds;
mod arch;
mod sys;
mod lock;
mod region;
mod arena;
mod table;
mod index;
mod lately;
mod depot;
mod unwind;
mod heap;
mod capture;
mod tasks;
mod maps;
mod threadarea;
mod closed;
mod modules;
mod tracer;
mod saved;
mod park;
mod stop;
mod roots;
mod real;
mod symbols;
mod annotations;
mod config;
mod place;
mod thread;
mod scope;
mod stopped_heap;
mod markers;
mod findings;
mod record_state;
mod recordfile;
mod verified;
mod verdict;
mod ending;
mod state;
mod loaded;
mod held;
mod suppressions;
mod starts;
mod tenancy;
mod request;
mod tell;
mod output;
mod emit;
mod who;
mod locals;
mod inspect;
mod scope_check;
mod fault;
mod executable;
mod start;
mod verify;
mod putoff;
mod traces;
mod blocks;
mod exports;
mod hooks;
mod patch;
mod foreign_hooks;
mod cover;
mod children;
mod program;
mod fork;
mod pthreads;
#[cfg(not(heapcheck_static))]
mod unload;
mod process;
mod crash;
mod demand;
mod capi;
mod construct;

// The object's own, also where the program brings another one: it has its own core, too.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    emit::bug(info.location().map_or(("", 0), |location| (location.file(), location.line())))
}
