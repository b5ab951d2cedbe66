#![forbid(unsafe_code)]
//! Where closures and async blocks stand in the source.
//!
//! The types of closures say nothing of it on stable Rust, but the functions made of their bodies do, and those lie in the same
//! module under the same number: `{closure_env#0}` is the type and `{closure#0}` its function. The function may lie in
//! another unit of the crate. A test has two closures of one path, because libtest wraps it in another one; they are
//! told apart by what they capture.

use std::collections::HashMap;

use gimli::constants as dw;

use crate::types::file::{Die, File, Next};

/// A body: the file and line, and the names of what it captures as far as that can be seen.
#[derive(Clone, Debug)]
struct Body {
    place: (String, u64),
    captured: Option<Vec<String>>,
}

/// The bodies in the units that were looked at, by their path.
#[derive(Default)]
pub(crate) struct Sites {
    units: HashMap<u32, HashMap<String, Vec<Body>>>,
}

impl Sites {
    /// The file and line of the body of the type at `path`, which is described in `unit`, at `environment` when it is
    /// that type itself.
    pub(crate) fn find(
        &mut self,
        file: &mut File,
        unit: u32,
        environment: Option<Die>,
        path: &str,
    ) -> Option<(String, u64)> {
        if let Some(place) = environment.and_then(|die| own_place(file, die)) {
            return Some(place);
        }
        let wanted = path.replace("_env#", "#");
        let captured = environment.map(|die| captured(file, die));
        let mut units = vec![unit];
        units.extend(file.units_of_same_crate(unit).into_iter().filter(|other| *other != unit));
        let mut other = None;
        for unit in units {
            for body in self.bodies(file, unit).get(&wanted).into_iter().flatten() {
                if captured.is_none() || body.captured == captured {
                    return Some(body.place.clone());
                }
                if body.captured.is_none() {
                    other.get_or_insert_with(|| body.place.clone());
                }
            }
        }
        other
    }

    fn bodies(&mut self, file: &mut File, unit: u32) -> &HashMap<String, Vec<Body>> {
        self.units.entry(unit).or_insert_with(|| {
            let mut bodies: HashMap<String, Vec<Body>> = HashMap::new();
            for die in file.named_entries(unit) {
                if let Some((path, body)) = read_body(file, die) {
                    bodies.entry(path).or_default().push(body);
                }
            }
            bodies
        })
    }
}

fn read_body(file: &mut File, die: Die) -> Option<(String, Body)> {
    let (content, entry) = file.entry(die)?;
    if entry.tag() != dw::DW_TAG_subprogram {
        return None;
    }
    let name = content.text(&entry, dw::DW_AT_name).filter(|name| name.starts_with('{'))?;
    let place = content.declared_at(&entry)?;
    let mut path = vec![name.split('<').next().unwrap_or_default().to_string()];
    let mut at = die;
    while let Some(parent) = file.parent(at) {
        let Some((content, entry)) = file.entry(parent) else { break };
        path.extend(content.text(&entry, dw::DW_AT_name));
        at = parent;
    }
    path.reverse();
    let environment = first_parameter(file, die);
    let captured = environment.map(|environment| captured(file, environment));
    Some((path.join("::"), Body { place, captured }))
}

/// The environment that a closure's body gets, by value or behind a pointer.
fn first_parameter(file: &mut File, die: Die) -> Option<Die> {
    let mut parameter = None;
    file.visit(die, |_, here, entry, depth| {
        if depth > 1 || entry.tag() != dw::DW_TAG_formal_parameter {
            return Next::Over;
        }
        parameter = Some((here, entry.attr_value(dw::DW_AT_type)));
        Next::Stop
    });
    let (here, value) = parameter?;
    let mut at = file.referred(here, value)?;
    let (content, mut entry) = file.entry(at)?;
    let mut content = content;
    if entry.tag() == dw::DW_TAG_pointer_type {
        at = file.referred(at, entry.attr_value(dw::DW_AT_type))?;
        (content, entry) = file.entry(at)?;
    }
    let name = content.text(&entry, dw::DW_AT_name)?;
    name.starts_with('{').then_some(at)
}

/// The place that the type of an async block tells itself: its states have lines.
fn own_place(file: &mut File, environment: Die) -> Option<(String, u64)> {
    let mut place = None;
    file.visit(environment, |content, _, entry, _| {
        if entry.tag() == dw::DW_TAG_member {
            place = content.declared_at(entry);
        }
        if place.is_some() { Next::Stop } else { Next::Into }
    });
    place
}

/// The names of the members of a closure's type.
fn captured(file: &mut File, environment: Die) -> Vec<String> {
    let mut names = Vec::new();
    file.visit(environment, |content, _, entry, _| {
        if entry.tag() == dw::DW_TAG_member {
            names.extend(content.text(entry, dw::DW_AT_name));
        }
        Next::Over
    });
    names
}
