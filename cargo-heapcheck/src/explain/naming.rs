#![forbid(unsafe_code)]
//! What the shape of leaks asks for: the types of blocks and the fields of pointers, as numbers that can be compared.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::drafts::Drafts;
use super::fields::Fields;
use super::sites::{Site, Sites, is_counted};
use crate::shape::tree::Names;
use crate::shape::whole::Pointer;
use crate::types::{Hold, Types};

/// The names of a check.
pub(super) struct Naming<'a, 'f> {
    /// The check.
    pub(super) drafts: &'a Drafts<'f>,
    /// Its places.
    pub(super) sites: &'a Sites,
    /// What is known of types, and the source files that were read for it.
    pub(super) types: &'a mut Types,
    fields: Fields<'f>,
    numbers: HashMap<String, u32>,
}

impl<'a, 'f> Naming<'a, 'f> {
    /// No field has a number yet.
    pub(super) fn new(
        drafts: &'a Drafts<'f>,
        sites: &'a Sites,
        fields: Fields<'f>,
        types: &'a mut Types,
    ) -> Self {
        Self { drafts, sites, types, fields, numbers: HashMap::new() }
    }

    /// The place of a block.
    pub(super) fn site_of(&self, node: u32) -> &'a Site {
        self.sites.get(self.drafts.sites[node as usize])
    }

    /// Whether a block is a part that a container of C++ is held together by.
    pub(super) fn is_part(&self, node: u32) -> bool {
        self.site_of(node).typed.as_ref().is_some_and(|typed| typed.is_link(0))
    }

    /// What a pointer inside a cycle is.
    pub(super) fn pointer(&self, from: u32, to: u32, edge: &Edge) -> Pointer {
        let (holder, target) = (self.site_of(from), self.site_of(to));
        let is_link = holder.typed.as_ref().is_some_and(|typed| typed.is_link(edge.offset));
        // The head of a container may be a block of its own, or lie in another one.
        match is_link {
            true if holder.kind == target.kind && self.is_part(to) => Pointer::Between,
            true => Pointer::Back,
            // A short `std::string` points to its own text, and an empty list to itself.
            false if from == to && holder.is_foreign && !is_shared(holder) => Pointer::Back,
            false => Pointer::Made,
        }
    }

    /// The path of the field that a pointer lies in, as it is written in the block's type.
    pub(super) fn path(&mut self, from: u32, edge: &Edge) -> Option<String> {
        // A value that only std wraps has no field.
        self.find(from, edge).map(|(path, _)| path.clone()).filter(|path| !path.is_empty())
    }

    /// Where a pointer lies in its block, if that is all that is known of it.
    pub(super) fn offset(&mut self, from: u32, edge: &Edge) -> Option<u64> {
        let is_wrapped = self.find(from, edge).is_some_and(|(path, _)| path.is_empty());
        (!is_wrapped).then_some(edge.offset)
    }

    /// Whether a pointer is one of which its types do not tell if it keeps anything alive.
    pub(super) fn is_raw(&mut self, from: u32, edge: &Edge) -> bool {
        self.find(from, edge).is_some_and(|(_, hold)| *hold == Hold::Raw)
    }

    fn find(&mut self, from: u32, edge: &Edge) -> Option<&(String, Hold)> {
        let known = (&self.drafts.graph, self.sites, self.drafts.sites.as_slice());
        self.fields.find(known, from, edge, self.types)
    }
}

/// Whether the block is shared by those who count themselves.
fn is_shared(site: &Site) -> bool {
    site.allocated.as_deref().is_some_and(is_counted)
}

impl Names for Naming<'_, '_> {
    fn kind(&mut self, node: u32) -> u32 {
        self.site_of(node).kind
    }

    fn field(&mut self, from: u32, edge: &Edge) -> u32 {
        let Some(path) = self.path(from, edge) else { return 0 };
        let next = self.numbers.len() as u32 + 1;
        *self.numbers.entry(path).or_insert(next)
    }

    fn site(&self, node: u32) -> u32 {
        self.site_of(node).line
    }

    fn counts(&self, node: u32) -> bool {
        self.drafts.counts[node as usize]
    }
}
