#![forbid(unsafe_code)]
//! What the shape of leaks asks for: the types of blocks and the fields of pointers, as numbers that can be compared.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::advice;
use super::drafts::Drafts;
use super::sites::{Site, Sites};
use crate::shape::tree::Names;
use crate::shape::whole::Pointer;
use crate::types::Types;

/// The names of a check.
pub(super) struct Naming<'a, 'f> {
    /// The check.
    pub(super) drafts: &'a Drafts<'f>,
    /// Its places.
    pub(super) sites: &'a Sites,
    /// What is known of types, and the source files that were read for it.
    pub(super) types: &'a mut Types,
    fields: HashMap<String, u32>,
    paths: HashMap<PathKey, Option<String>>,
}

/// What a path depends on: the places of both blocks, where in an element the pointer lies, and whether it leads to the
/// beginning of the other block.
type PathKey = (usize, usize, u64, bool);

impl<'a, 'f> Naming<'a, 'f> {
    /// No field is known yet.
    pub(super) fn new(drafts: &'a Drafts<'f>, sites: &'a Sites, types: &'a mut Types) -> Self {
        Self { drafts, sites, types, fields: HashMap::new(), paths: HashMap::new() }
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
            false if from == to && holder.is_foreign && !is_counted(holder) => Pointer::Back,
            false => Pointer::Made,
        }
    }

    /// The path of the field that a pointer lies in, as it is written in the block's type.
    pub(super) fn path(&mut self, from: u32, edge: &Edge) -> Option<String> {
        let (sites, drafts) = (self.sites, self.drafts);
        let holder = self.site_of(from).typed.as_ref()?;
        let size = drafts.graph.blocks[from as usize].size_bytes;
        let offset = holder.within_element(size, edge.offset)?;
        let to = drafts.graph.node(edge.to)?;
        let pointer = (drafts.sites[from as usize], drafts.sites[to as usize], offset, edge.to_offset == 0);
        let types = &mut *self.types;
        let find = || {
            let target = sites.get(pointer.1).typed.as_ref().filter(|_| pointer.3);
            types.find_field(holder, offset, target)
        };
        self.paths.entry(pointer).or_insert_with(find).clone()
    }
}

/// Whether the block is shared by those who count themselves.
fn is_counted(site: &Site) -> bool {
    site.allocated.as_deref().is_some_and(advice::is_counted)
}

impl Names for Naming<'_, '_> {
    fn kind(&mut self, node: u32) -> u32 {
        self.site_of(node).kind
    }

    fn field(&mut self, from: u32, edge: &Edge) -> u32 {
        let Some(path) = self.path(from, edge) else { return 0 };
        let next = self.fields.len() as u32 + 1;
        *self.fields.entry(path).or_insert(next)
    }

    fn site(&self, node: u32) -> u32 {
        self.drafts.sites[node as usize] as u32
    }

    fn counts(&self, node: u32) -> bool {
        self.drafts.counts[node as usize]
    }
}
