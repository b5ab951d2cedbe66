#![forbid(unsafe_code)]
//! Statics and thread-local variables: the entry that describes one, and so its type.

use gimli::constants as dw;

use crate::types::file::{Die, Entry, File, Next};

/// A variable, as the symbol table knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable<'a> {
    /// Its name in the source: `app::CACHE`.
    pub(crate) name: &'a str,
    /// Its address in the file; of a thread-local one, in the file's thread-local storage.
    pub(crate) address: u64,
    /// Whether each thread has one of its own.
    pub(crate) is_thread_local: bool,
}

/// Finds the type of a variable.
pub(crate) fn find_type(file: &mut File, variable: &Variable<'_>) -> Option<Die> {
    // rustc names a unit by its source, its crate and a number: `src/main.rs/@/app.0123456789abcdef-cgu.4`.
    let of_crate = variable.name.split_once("::").map(|(name, _)| format!("/@/{name}."));
    let mut units = match of_crate {
        Some(part) => file.units_named(|name| name.contains(&part)),
        None => Vec::new(),
    };
    if units.is_empty() {
        // A crate of another name, or another language.
        units = file.units_named(|_| true);
    }
    units.into_iter().find_map(|unit| find_in_unit(file, unit, variable))
}

fn find_in_unit(file: &mut File, unit: u32, variable: &Variable<'_>) -> Option<Die> {
    let root = file.root(unit)?;
    let (_, entry) = file.entry(root)?;
    let is_rust = matches!(
        entry.attr_value(dw::DW_AT_language),
        Some(gimli::AttributeValue::Language(dw::DW_LANG_Rust))
    );
    let wanted = (variable.address, variable.is_thread_local);
    let mut found: Option<(Die, Entry)> = None;
    file.visit(root, |content, here, entry, _| match entry.tag() {
        dw::DW_TAG_variable if content.location(entry) == Some(wanted) => {
            found = Some((here, entry.clone()));
            Next::Stop
        }
        dw::DW_TAG_namespace => Next::Into,
        // rustc puts the statics of a function into a namespace of its name.
        dw::DW_TAG_subprogram | dw::DW_TAG_lexical_block if !is_rust => Next::Into,
        _ => Next::Over,
    });
    let (here, entry) = found?;
    file.referred(here, entry.attr_value(dw::DW_AT_type)).or_else(|| {
        // What a class has declared is defined elsewhere.
        let declared = file.referred(here, entry.attr_value(dw::DW_AT_specification))?;
        let (_, entry) = file.entry(declared)?;
        file.referred(declared, entry.attr_value(dw::DW_AT_type))
    })
}
