#![forbid(unsafe_code)]
//! Profiles: what leaked, and what is in use, as stacks with amounts, for pprof, for other viewers, and for the terminal.
//!
//! Everything starts from one list of samples; each file below is one way to write it.

mod sample;
mod measure;
mod old;
mod select;
mod layout;
mod wire;
mod pprof;
mod heap;
mod graph;
mod tables;
mod traces;
mod list;
mod view;
mod asked;
mod collapsed;
mod callgrind;
mod dot;
mod tree;
mod svg;
mod html;
mod kinds;
mod files;
mod browser;

pub(crate) use asked::ViewFlags;
pub(crate) use browser::open;
pub(crate) use files::{hint, in_use_note, quoted, write_all, write_unit};
pub(crate) use kinds::Kind;
pub(crate) use old::Base;
pub(crate) use sample::has_in_use;
pub(crate) use select::Selection;
pub(crate) use view::View;
