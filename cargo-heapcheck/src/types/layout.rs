#![forbid(unsafe_code)]
//! How a type lies in memory: its parts and where they begin, as debug information describes them.

use std::collections::HashMap;
use std::rc::Rc;

use gimli::{AttributeValue, constants as dw};

use crate::types::file::{Die, Entry, File, Next};
use crate::types::function::{UNNAMED, type_name};
use crate::types::sections::Bytes;

/// A part of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name; none of a base class.
    pub(crate) name: Option<String>,
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its type.
    pub(crate) of: Die,
    /// Of a variant, when it is the one that is there, where that is told.
    pub(crate) when: Option<Rc<When>>,
}

/// By which discriminants a variant is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    /// Where in the type the discriminant lies: a number of its own, or one that something else never is (a niche).
    pub(crate) offset: u64,
    /// The number of its bytes, at most 8.
    pub(crate) size: u64,
    /// Its values.
    values: Vec<u64>,
    /// Whether those are the values of all other variants.
    is_rest: bool,
}

impl When {
    /// Whether it is the variant with this discriminant.
    pub(crate) fn holds(&self, discriminant: u64) -> bool {
        self.values.contains(&discriminant) != self.is_rest
    }
}

/// What a type consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A pointer or reference to one thing.
    Pointer(Option<Die>),
    /// Parts side by side.
    Parts(Vec<Part>),
    /// Parts that lie on top of each other, by the name of the variant.
    Variants(Vec<Part>),
    /// Elements of one type.
    Array(Die),
    /// A number or something else without parts.
    Plain,
}

/// A type in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The name in full.
    pub(crate) name: String,
    /// The number of its bytes.
    pub(crate) size: u64,
    /// What it must be aligned to, where that is told.
    pub(crate) align: u64,
    /// What it consists of.
    pub(crate) shape: Shape,
}

/// Types that were read before.
#[derive(Default)]
pub(crate) struct Layouts {
    known: HashMap<Die, Option<Rc<Layout>>>,
}

impl Layouts {
    /// Reads a type.
    pub(crate) fn read(&mut self, file: &mut File, die: Die) -> Option<Rc<Layout>> {
        if let Some(known) = self.known.get(&die) {
            return known.clone();
        }
        let layout = self.read_anew(file, die).map(Rc::new);
        self.known.insert(die, layout.clone());
        layout
    }

    fn read_anew(&mut self, file: &mut File, die: Die) -> Option<Layout> {
        let asked = die;
        let die = strip(file, die)?;
        let die = definition(file, die).unwrap_or(die);
        let (_, entry) = file.entry(die)?;
        let number = |name| entry.attr_value(name).and_then(|value: AttributeValue<_>| value.udata_value());
        let inner = |file: &File| file.referred(die, entry.attr_value(dw::DW_AT_type));
        let mut size = number(dw::DW_AT_byte_size).unwrap_or(0);
        let shape = match entry.tag() {
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                size = 8;
                let to = inner(file);
                let is_code = to
                    .and_then(|to| file.entry(to))
                    .is_some_and(|(_, to)| to.tag() == dw::DW_TAG_subroutine_type);
                // A function is never a block.
                if is_code { Shape::Plain } else { Shape::Pointer(to) }
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => {
                let (parts, variants) = read_parts(file, die);
                // A type with both has its shared fields nowhere: Rust puts everything into the variants.
                if variants.is_empty() { Shape::Parts(parts) } else { Shape::Variants(variants) }
            }
            dw::DW_TAG_union_type => Shape::Variants(read_parts(file, die).0),
            dw::DW_TAG_array_type => {
                let element = inner(file)?;
                let count = array_count(file, die);
                if size == 0 {
                    size = self.read(file, element).map_or(0, |element| element.size) * count;
                }
                Shape::Array(element)
            }
            _ => Shape::Plain,
        };
        let mut name = type_name(file, die);
        if name == UNNAMED {
            // What has no name of its own is known by the one that it was given.
            name = type_name(file, asked);
        }
        Some(Layout { name, size, align: number(dw::DW_AT_alignment).unwrap_or(1), shape })
    }
}

/// The type behind names and qualifiers of C.
pub(super) fn strip(file: &mut File, mut die: Die) -> Option<Die> {
    // Longer chains of typedefs than this are none.
    for _ in 0..16 {
        let (_, entry) = file.entry(die)?;
        let is_name =
            [dw::DW_TAG_typedef, dw::DW_TAG_const_type, dw::DW_TAG_volatile_type, dw::DW_TAG_atomic_type]
                .contains(&entry.tag());
        if !is_name {
            return Some(die);
        }
        die = file.referred(die, entry.attr_value(dw::DW_AT_type))?;
    }
    None
}

/// The definition of a type that is only declared here. What the optimiser takes over from a unit gets a unit of its own
/// of the same name, and declares there what the other one defines.
fn definition(file: &mut File, die: Die) -> Option<Die> {
    let (content, declared) = file.entry(die)?;
    declared.has_attr(dw::DW_AT_declaration).then_some(())?;
    let name = content.text(&declared, dw::DW_AT_name)?;
    let mut path = Vec::new();
    let mut at = die;
    while let Some(around) = file.parent(at) {
        let (content, entry) = file.entry(around)?;
        path.push((entry.tag(), content.text(&entry, dw::DW_AT_name)?));
        at = around;
    }
    path.reverse();
    path.push((declared.tag(), name));
    file.units_of_same_name(die.unit()).into_iter().find_map(|unit| {
        let mut at = file.root(unit)?;
        for (tag, name) in &path {
            let mut found = None;
            file.visit(at, |content, here, entry, _| {
                let is_it = entry.tag() == *tag
                    && !entry.has_attr(dw::DW_AT_declaration)
                    && content.text(entry, dw::DW_AT_name).as_ref() == Some(name);
                found = is_it.then_some(here);
                if is_it { Next::Stop } else { Next::Over }
            });
            at = found?;
        }
        Some(at)
    })
}

/// A member as it was read.
struct Member {
    here: Die,
    entry: Entry,
    name: Option<String>,
    is_variant: bool,
    /// Of a variant, its discriminant.
    value: Option<AttributeValue<Bytes>>,
}

/// The members of a struct or union, and those of its variants.
fn read_parts(file: &mut File, die: Die) -> (Vec<Part>, Vec<Part>) {
    let mut found: Vec<Member> = Vec::new();
    let mut discriminant: Option<(Die, Entry)> = None;
    let mut value = None;
    file.visit(die, |content, here, entry, depth| match entry.tag() {
        dw::DW_TAG_member | dw::DW_TAG_inheritance => {
            // A part of the whole lies at depth 1, of a variant below the variant part and the variant.
            let is_static = entry.has_attr(dw::DW_AT_external) || entry.has_attr(dw::DW_AT_declaration);
            let is_discriminant = entry.has_attr(dw::DW_AT_artificial) && depth == 2;
            if is_discriminant {
                discriminant = Some((here, entry.clone()));
            } else if !is_static {
                let name = content.text(entry, dw::DW_AT_name);
                let value = value.clone().filter(|_| depth > 2);
                found.push(Member { here, entry: entry.clone(), name, is_variant: depth > 1, value });
            }
            Next::Over
        }
        dw::DW_TAG_variant => {
            value = entry.attr_value(dw::DW_AT_discr_value);
            Next::Into
        }
        dw::DW_TAG_variant_part => Next::Into,
        _ => Next::Over,
    });
    let mut when = discriminants(file, discriminant, &found).into_iter();
    let (mut parts, mut variants) = (Vec::new(), Vec::new());
    for Member { here, entry, name, is_variant, .. } in found {
        let offset = location(&entry);
        let when = when.next();
        let Some(of) = file.referred(here, entry.attr_value(dw::DW_AT_type)) else { continue };
        if is_variant {
            // Of a future the member is a number, but its type has the name of the state.
            let name =
                file.entry(of).and_then(|(content, entry)| content.text(&entry, dw::DW_AT_name)).or(name);
            variants.push(Part { name, offset, of, when });
        } else {
            parts.push(Part { name, offset, of, when: None });
        }
    }
    (parts, variants)
}

/// When each of the members is there; nothing where that can't be read of all of them.
fn discriminants(file: &mut File, place: Option<(Die, Entry)>, members: &[Member]) -> Vec<Rc<When>> {
    let place = place.and_then(|(here, entry)| Discriminant::read(file, here, &entry));
    let Some(place) = place else { return Vec::new() };
    let values: Vec<Option<u64>> = members.iter().map(|member| place.value(member.value.as_ref()?)).collect();
    let mut both = members.iter().zip(&values);
    match both.all(|(member, value)| member.value.is_some() == value.is_some()) {
        true => (0..values.len()).map(|at| Rc::new(place.when(&values, at))).collect(),
        false => Vec::new(),
    }
}

fn location(member: &Entry) -> u64 {
    let offset = member.attr_value(dw::DW_AT_data_member_location);
    offset.and_then(|offset| offset.udata_value()).unwrap_or(0)
}

/// Where an enum keeps which of its variants it is.
struct Discriminant {
    offset: u64,
    size: u64,
    is_signed: bool,
}

impl Discriminant {
    fn read(file: &mut File, here: Die, member: &Entry) -> Option<Self> {
        let of = file.referred(here, member.attr_value(dw::DW_AT_type))?;
        let of = strip(file, of)?;
        let (_, entry) = file.entry(of)?;
        let size = entry.attr_value(dw::DW_AT_byte_size)?.udata_value()?;
        let signed = [dw::DW_ATE_signed, dw::DW_ATE_signed_char];
        let is_signed = matches!(entry.attr_value(dw::DW_AT_encoding),
            Some(AttributeValue::Encoding(encoding)) if signed.contains(&encoding));
        (1..=8).contains(&size).then(|| Self { offset: location(member), size, is_signed })
    }

    /// A value of it, as many bytes as it has.
    fn value(&self, value: &AttributeValue<Bytes>) -> Option<u64> {
        let value = match *value {
            AttributeValue::Sdata(value) => value as u64,
            // Whether a constant of a fixed size has a sign, only its type says.
            AttributeValue::Data1(value) if self.is_signed => i64::from(value.cast_signed()) as u64,
            AttributeValue::Data2(value) if self.is_signed => i64::from(value.cast_signed()) as u64,
            AttributeValue::Data4(value) if self.is_signed => i64::from(value.cast_signed()) as u64,
            _ => value.udata_value()?,
        };
        Some(value & (u64::MAX >> (64 - 8 * self.size)))
    }

    /// When it is the variant at `at`, if these are the values of all of them. The one without a value is what is left.
    fn when(&self, values: &[Option<u64>], at: usize) -> When {
        let (values, is_rest) = match values[at] {
            Some(value) => (vec![value], false),
            None => (values.iter().copied().flatten().collect(), true),
        };
        When { offset: self.offset, size: self.size, values, is_rest }
    }
}

fn array_count(file: &mut File, die: Die) -> u64 {
    let mut count = 1;
    file.visit(die, |_, _, entry, _| {
        if entry.tag() == dw::DW_TAG_subrange_type {
            let number =
                |name| entry.attr_value(name).and_then(|value: AttributeValue<_>| value.udata_value());
            count *= number(dw::DW_AT_count)
                .or_else(|| number(dw::DW_AT_upper_bound).map(|last| last.saturating_add(1)))
                .unwrap_or(0);
        }
        Next::Over
    });
    count
}
