#![forbid(unsafe_code)]
//! What a check knows of the files behind the code: the modules that are loaded now, and those that were closed.

use crate::intervals::Span;
use crate::modules::Modules;
use crate::space::OutOfMemory;
use crate::state::{CLOSED, REGION, SCRATCH};

/// Takes the list. The world is not stopped, and the caller holds no lock but that of the check or the record.
pub(crate) fn take() -> Result<Modules, OutOfMemory> {
    let mut modules = Modules::take(&SCRATCH, heap())?;
    modules.closed = CLOSED.copy(&SCRATCH)?;
    Ok(modules)
}

/// Takes those that are loaded, and leaves out how the program is called. The same holds for the caller.
pub(crate) fn take_briefly() -> Result<Modules, OutOfMemory> {
    Modules::take_briefly(&SCRATCH, heap())
}

fn heap() -> Span {
    Span::new(REGION.heap.start(), REGION.heap.end())
}
