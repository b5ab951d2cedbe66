#![forbid(unsafe_code)]
//! How leaked blocks hang together, told so that a person can see it: who owns whom, as trees, and the circle in a cycle.
//!
//! All of it is arithmetic on the blocks and pointers of a record. What blocks and pointers are called comes from
//! outside as plain numbers and words, so that each step can be tested on a table.
//!
//! ```text
//!   Graph    the blocks of a check, their components, the pointers between them
//!   Owners   entries -> heads -> what each alone keeps alive: a tree over the components
//!   grow     such a tree with equal branches laid together: `items[..]: 1,000 × String`
//!   is_whole a cycle that only holds a container together
//!   draw     the shortest circle through a block of a cycle
//! ```

pub(crate) mod graph;
pub(crate) mod owners;
pub(crate) mod tree;
pub(crate) mod circle;
pub(crate) mod whole;
#[cfg(test)]
mod tests;
