//! What unit tests of the shell share: an arena of their own, and one stopped world at a time.

use std::sync::{Mutex, MutexGuard};

/// Defines an arena on a reservation of its own. Tests never share one: a thread that is stopped may hold its lock.
macro_rules! arena {
    ($name:ident) => {
        static REGION: crate::region::Region = crate::region::Region::empty();
        static $name: crate::arena::Arena = crate::arena::Arena::on(&REGION.arena);
        crate::testbed::prepare(&REGION);
    };
}
pub(crate) use arena;

/// Reserves addresses for `region`.
pub(crate) fn prepare(region: &crate::region::Region) {
    region.reserve().expect("reservation");
}

/// Lets one test at a time stop the world.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static WORLD: Mutex<()> = Mutex::new(());
    WORLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
