//! heapcheck-rt: see ARCHITECTURE.md.

// The shell's modules are compiled here for their unit tests only, which do not use all of them.
#![cfg_attr(test, allow(dead_code))]

pub mod sources;
pub mod wrapped;
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
#[cfg(test)]
mod test_space;
pub mod mark;
pub mod classify;
pub mod foreign;
pub mod classes;
#[cfg(test)]
mod intervals;
#[cfg(test)]
mod mapline;
#[cfg(test)]
mod taskstat;
#[cfg(test)]
mod rootkinds;
#[cfg(test)]
mod arch;
#[cfg(test)]
mod sys;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod region;
#[cfg(test)]
mod arena;
#[cfg(test)]
mod table;
#[cfg(test)]
mod depot;
#[cfg(test)]
mod unwind;
#[cfg(test)]
mod capture;
#[cfg(test)]
mod heap;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod maps;
#[cfg(test)]
mod threadarea;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod tracer;
#[cfg(test)]
mod park;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod roots_tests;
#[cfg(test)]
#[path = "test_hooks.rs"]
mod hooks;
#[cfg(test)]
mod patch;
#[cfg(test)]
mod foreign_hooks;
#[cfg(test)]
mod cover;
