#![forbid(unsafe_code)]
//! What the shape of leaks asks for: the types of blocks and the fields of pointers, as numbers that can be compared.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::drafts::Drafts;
use super::sites::{Site, Sites};
use crate::shape::tree::Names;

/// The names of a check.
pub(super) struct Naming<'a, 'f> {
    /// The check.
    pub(super) drafts: &'a Drafts<'f>,
    /// Its places.
    pub(super) sites: &'a Sites,
    fields: HashMap<String, u32>,
}

impl<'a, 'f> Naming<'a, 'f> {
    /// No field is known yet.
    pub(super) fn new(drafts: &'a Drafts<'f>, sites: &'a Sites) -> Self {
        Self { drafts, sites, fields: HashMap::new() }
    }

    /// The place of a block.
    pub(super) fn site_of(&self, node: u32) -> &'a Site {
        self.sites.get(self.drafts.sites[node as usize])
    }

    /// The path of the field that a pointer lies in, as it is written in the block's type.
    pub(super) fn path(&mut self, _from: u32, _edge: &Edge) -> Option<String> {
        None
    }
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
