#![forbid(unsafe_code)]
//! The kinds of roots, and a set of them.
//!
//! Each kind can be switched off, so that a test can show that a block lives only by it. Three kinds are *weak*: what
//! only they reach is doubtful instead of live, where the mode says so.

/// Where a pointer was found that keeps a block alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RootKind {
    /// Writable segments of modules.
    Globals = 0,
    /// Stacks of live threads.
    Stacks = 1,
    /// General and vector registers.
    Registers = 2,
    /// Static thread-local storage.
    Tls = 3,
    /// Thread-local storage that the loader allocates on first use.
    Dtv = 4,
    /// `pthread_setspecific` and the rest of libc's thread descriptor.
    Keys = 5,
    /// Arguments of threads that have not begun yet, results nobody has fetched yet.
    Pending = 6,
    /// Ranges that the program registered.
    Regions = 7,
    /// Weak: writable mappings that nobody owns.
    Maps = 8,
    /// Weak: pointers to the end of a block.
    Ends = 9,
    /// Weak: pointers with a tag in their topmost 16 bits.
    Tags = 10,
}

impl RootKind {
    /// Every kind, in the order of its number.
    pub(crate) const ALL: [Self; 11] = [
        Self::Globals,
        Self::Stacks,
        Self::Registers,
        Self::Tls,
        Self::Dtv,
        Self::Keys,
        Self::Pending,
        Self::Regions,
        Self::Maps,
        Self::Ends,
        Self::Tags,
    ];

    /// The name that `HEAPCHECK_ROOTS` uses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Globals => "globals",
            Self::Stacks => "stacks",
            Self::Registers => "registers",
            Self::Tls => "tls",
            Self::Dtv => "dtv",
            Self::Keys => "keys",
            Self::Pending => "pending",
            Self::Regions => "regions",
            Self::Maps => "maps",
            Self::Ends => "ends",
            Self::Tags => "tags",
        }
    }
}

/// A set of root kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RootKinds(u16);

impl RootKinds {
    /// Every kind.
    pub(crate) const ALL: Self = Self((1 << RootKind::ALL.len()) - 1);
    /// No kind.
    pub(crate) const NONE: Self = Self(0);

    /// Whether `kind` is in the set.
    pub(crate) const fn has(self, kind: RootKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// The set with `kind`.
    pub(crate) const fn with(self, kind: RootKind) -> Self {
        Self(self.0 | (1 << kind as u16))
    }

    /// The set without `kind`.
    pub(crate) const fn without(self, kind: RootKind) -> Self {
        Self(self.0 & !(1 << kind as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::{RootKind, RootKinds};

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        for (number, kind) in RootKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert!(RootKinds::ALL.has(kind) && !RootKinds::NONE.has(kind));
            for other in RootKind::ALL {
                assert_eq!(RootKinds::NONE.with(kind).has(other), kind == other);
                assert_eq!(RootKinds::ALL.without(kind).has(other), kind != other);
            }
        }
    }
}
