//! The leak phase by heapcheck's own account: the totals in the record that a checked run left.
//!
//! The difference between a checked and a plain exit holds the teardown of a larger process as well; the record tells
//! the two apart.

use heapcheck_rt::record;
use std::fs;
use std::path::Path;

/// Stop, mark and classify of the last check in the folder's newest record; `None` when there is no such record.
pub(crate) fn read_phase_ns(folder: &Path) -> Option<f64> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let newest = files.max_by_key(|file| file.metadata().and_then(|about| about.modified()).ok())?;
    let record = record::read(&fs::read(newest.path()).ok()?).ok()?;
    let totals = record.checks.last()?.totals?;
    Some((totals.stop_ns + totals.mark_ns + totals.classify_ns) as f64)
}
