//! A gallery of leaks. Every test passes under plain cargo, and every test leaks.

#![allow(dead_code)]

mod cycles;
mod collections;
mod foreign;
mod given_away;
mod tasks;
mod variants;
