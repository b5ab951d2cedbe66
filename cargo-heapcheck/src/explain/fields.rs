#![forbid(unsafe_code)]
//! The fields that pointers between leaked blocks lie in, and which of those pointers hold nothing.
//!
//! A `Weak` to the parent closes a circle for the runtime, which sees pointers only. It keeps no value alive, and
//! nobody has to change it; so a tree with such parents is told as the tree that it is. The same holds for references, and for
//! what points into the middle of a block. A raw pointer to the beginning of a block may be its owner.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::contents::Contents;
use super::sites::{Sites, is_counted};
use crate::shape::graph::Graph;
use crate::types::{Chosen, Hold, Types, Ways};

/// What a field depends on: the places of both blocks, where in an element the pointer lies, and whether it leads to the
/// beginning of the other block.
type Key = (usize, usize, u64, bool);

/// The fields that were asked for.
#[derive(Debug, Default)]
pub(super) struct Fields<'f> {
    contents: Contents<'f>,
    known: HashMap<Key, Option<Known>>,
    /// How many pointers lead to the beginning of each block, where that was asked for.
    pointed: Option<Vec<u64>>,
}

/// A field that was asked for.
#[derive(Debug)]
struct Known {
    ways: Ways,
    /// What those of them are that the discriminants leave.
    told: Vec<(Chosen, Option<(String, Hold)>)>,
}

/// Bytes in front of the value of an `Rc` or `Arc` whose type needs no greater alignment.
const COUNTERS: u64 = 16;

impl<'f> Fields<'f> {
    /// Those of a check with these contents; none was asked for.
    pub(super) fn of(contents: Contents<'f>) -> Self {
        Self { contents, ..Self::default() }
    }

    /// The path of the field that a pointer lies in, as it is written in the block's type, and what the pointer does.
    /// `at` are the places of the blocks of `graph`.
    pub(super) fn find(
        &mut self,
        (graph, sites, at): (&Graph<'_>, &Sites, &[usize]),
        from: u32,
        edge: &Edge,
        types: &mut Types,
    ) -> Option<&(String, Hold)> {
        let holder = sites.get(at[from as usize]).typed.as_ref()?;
        let offset = holder.within_element(graph.blocks[from as usize].size_bytes, edge.offset)?;
        let to = graph.node(edge.to)?;
        let key = (at[from as usize], at[to as usize], offset, edge.to_offset == 0);
        let find = || {
            let target = sites.get(key.1).typed.as_ref().filter(|_| key.3);
            Some(Known { ways: types.find_ways(holder, offset, target)?, told: Vec::new() })
        };
        let Known { ways, told } = self.known.entry(key).or_insert_with(find).as_mut()?;
        let chosen = ways.choose(|distance, size| {
            self.contents.read(edge.from, edge.offset.checked_add_signed(distance)?, size)
        });
        let at = told.iter().position(|(known, _)| *known == chosen).unwrap_or_else(|| {
            told.push((chosen, types.tell_field(holder, ways, chosen)));
            told.len() - 1
        });
        told[at].1.as_ref()
    }

    /// Whether a pointer may keep the block alive that it leads to.
    pub(super) fn may_hold(
        &mut self,
        known: (&Graph<'_>, &Sites, &[usize]),
        (from, to): (u32, u32),
        edge: &Edge,
        types: &mut Types,
    ) -> bool {
        let (_, sites, at) = known;
        let (holder, target) = (sites.get(at[from as usize]), sites.get(at[to as usize]));
        let is_counted = target.allocated.as_deref().is_some_and(is_counted);
        // Whoever owns a block knows its beginning; `into_raw` of what is counted gives the value.
        let is_inside = edge.to_offset != 0 && !(is_counted && edge.to_offset == COUNTERS);
        match self.find(known, from, edge, types) {
            Some((_, Hold::Kept)) => {
                (is_counted && self.is_each_counted(known.0, to))
                    || !self.is_kept_elsewhere(known, (from, to), types)
            }
            Some((_, Hold::Weak | Hold::Borrowed | Hold::Padding)) => false,
            Some((_, Hold::Raw)) => !is_inside && (from != to || is_counted),
            Some((_, Hold::Strong)) => true,
            // Nobody keeps a value alive by its own number; what was moved there has left it.
            Some((_, Hold::Number)) => from != to,
            // An arena knows where in itself it begins and goes on; only what is counted keeps itself alive.
            None if from == to && holder.typed.is_some() => is_counted || holder.is_foreign,
            None => from != to || edge.to_offset <= COUNTERS,
        }
    }

    /// Whether another pointer of the block leads to the same one, of which it is certain that it is still there: what a
    /// future waits for has got what the future was made with.
    fn is_kept_elsewhere(
        &mut self,
        known: (&Graph<'_>, &Sites, &[usize]),
        (from, to): (u32, u32),
        types: &mut Types,
    ) -> bool {
        let others = known.0.pointers(from).iter().filter(|(other, _)| *other == to);
        others.into_iter().any(|(_, edge)| {
            matches!(self.find(known, from, edge, types), Some((_, Hold::Strong | Hold::Number)))
        })
    }

    /// Whether a block counts as many owners as there are pointers to it. Then none of them is a rest.
    fn is_each_counted(&mut self, graph: &Graph<'_>, to: u32) -> bool {
        let pointed = self.pointed.get_or_insert_with(|| {
            let mut pointed = vec![0; graph.blocks.len()];
            let pointers = (0..graph.blocks.len() as u32).flat_map(|from| graph.pointers(from));
            for (to, _) in pointers.filter(|(_, edge)| edge.to_offset == 0) {
                pointed[*to as usize] += 1;
            }
            pointed
        });
        // The strong count of an `Rc` or `Arc` comes first.
        let owners = self.contents.read(graph.blocks[to as usize].id, 0, 8);
        owners.is_some_and(|owners| owners >= pointed[to as usize])
    }
}
