//! The injected runtime: crate root of the object that the tool compiles and preloads (or links, for static programs).
//!
//! The modules stand bottom-up: each one uses only those above it.

#![no_std]
#![deny(unsafe_code)]
#![allow(dead_code)]

pub mod space;
mod limits;
mod intervals;
mod mapline;
mod taskstat;
mod rootkinds;
mod arch;
mod sys;
mod lock;
mod region;
mod arena;
mod tasks;
mod maps;
mod threadarea;
mod modules;
mod tracer;
mod park;
mod stop;
mod roots;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit_process(134)
}
