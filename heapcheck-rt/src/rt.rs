//! The injected runtime: crate root of the object that the tool compiles and preloads (or links, for static programs).
//!
//! The modules stand bottom-up: each one uses only those above it.

#![no_std]
#![deny(unsafe_code)]
#![allow(dead_code)]

pub mod space;
mod limits;
mod arch;
mod sys;
mod lock;
mod region;
mod arena;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit_process(134)
}
