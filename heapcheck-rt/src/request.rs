#![forbid(unsafe_code)]
//! A request for a check: of what, how, from where, and on which terms.

use crate::contract::{Print, Tell};
use crate::options::Mode;
use crate::place::Place;
use crate::record::Moment;

/// What to check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) moment: Moment,
    pub(crate) mode: Mode,
    /// Only what belongs to this scope counts; 0: everything.
    pub(crate) scope: u32,
    /// What lies below is not the program's.
    pub(crate) place: Place,
    pub(crate) terms: Terms,
}

/// What a scope's owner wants of its check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Patterns of functions whose leaks are excused, one a line.
    pub(crate) allow: &'static [u8],
    /// Up to this many leaked bytes are excused.
    pub(crate) max_leaked: u64,
    /// What was lost by threads that are still in the scope does not count.
    pub(crate) without_guests: bool,
    /// Somebody wants to know what only local variables hold.
    pub(crate) tells_locals: bool,
    /// Local variables hold nothing of the scope.
    pub(crate) without_locals: bool,
    /// When nothing is found, what is alive is excused from later checks.
    pub(crate) excuse_live: bool,
    /// The check leaves a trace only when something leaked.
    pub(crate) is_silent_when_clean: bool,
    /// Only what scopes have lost counts that have passed their checks.
    pub(crate) is_late: bool,
    /// The check leaves no trace: it will be made again.
    pub(crate) is_tentative: bool,
    /// Who takes the plain report, and its first argument.
    pub(crate) print: Option<(Print, usize)>,
    /// Who takes the leaks one by one; its first argument is the same.
    pub(crate) tell: Option<Tell>,
}

impl Terms {
    /// No special terms.
    pub(crate) const NONE: Self = Self {
        allow: &[],
        max_leaked: 0,
        without_guests: false,
        tells_locals: false,
        without_locals: false,
        excuse_live: false,
        is_silent_when_clean: false,
        is_late: false,
        is_tentative: false,
        print: None,
        tell: None,
    };
}

impl Request {
    /// A check from a place, on no special terms.
    pub(crate) fn from(place: &Place, moment: Moment, mode: Mode, scope: u32) -> Self {
        Self { moment, mode, scope, place: *place, terms: Terms::NONE }
    }
}
