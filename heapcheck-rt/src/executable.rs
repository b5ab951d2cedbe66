#![forbid(unsafe_code)]
//! Which files this process runs from: its executable, and our own object.

use crate::loaded;
use crate::modules::Role;
use crate::sys;

/// Whether `path` lies below `folder`.
fn is_below(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Whether a path names our own object.
pub(crate) fn is_runtime(path: &[u8]) -> bool {
    let mut name = [0u8; 4096];
    if path.len() + 1 > name.len() {
        return false;
    }
    name[..path.len()].copy_from_slice(path);
    let Ok(modules) = loaded::take_briefly() else { return false };
    let Some(own) = modules.all().iter().find(|module| module.role == Role::Runtime) else { return false };
    let own = modules.name(own);
    if own == path {
        return true;
    }
    let mut own_name = [0u8; 4096];
    own_name[..own.len().min(4095)].copy_from_slice(&own[..own.len().min(4095)]);
    let identity = |path: &[u8]| {
        let fd = sys::open(path, sys::O_CLOEXEC, 0).ok()?;
        let identity = sys::file_identity(fd).ok();
        sys::close(fd);
        identity
    };
    let (given, ours) = (identity(&name[..path.len() + 1]), identity(&own_name[..own.len().min(4095) + 1]));
    given.is_some() && given == ours
}

/// Whether the executable of this process lies below a folder.
pub(crate) fn lies_below(folder: &[u8]) -> bool {
    is_below(path(&mut [0; 4096]), folder)
}

/// Whether it is this one, by a path without links.
pub(crate) fn is_at(wanted: &[u8]) -> bool {
    path(&mut [0; 4096]) == wanted
}

/// Its path, without links.
fn path(buffer: &mut [u8; 4096]) -> &[u8] {
    let len = sys::read_link(b"/proc/self/exe\0", buffer).unwrap_or(0);
    &buffer[..len]
}
