#![forbid(unsafe_code)]
//! From facts to what is done, and from what came of it to whether there can be a verdict.
//!
//! | what the file says | step |
//! |---|---|
//! | no Rust, no known allocator | nothing |
//! | `__rust_alloc` is a jump to `__rdl_alloc`, no known allocator | nothing |
//! | a known allocator, all of whose functions have stand-ins | patch them; the probe confirms when there is a shim |
//! | a known allocator with a function that has none | refuse |
//! | another `__rust_alloc` | probe; when that is foreign and the shims were compiled without optimisation, patch them |
//! | Rust without `__rust_alloc`, with std as a library of its own | nothing: the shims are there |
//! | Rust without `__rust_alloc` (inlined everywhere) | refuse: what was inlined can't be told |
//! | a Rust library without `__rust_alloc` and without a `GlobalAlloc` | nothing |
//! | Rust without symbols, `System` linked | nothing, if blocks of the program are seen |
//! | Rust without symbols, `System` not linked | refuse |
//! | no symbols, but strings or names of a known allocator | refuse |

use super::shim::{calls, jump_of};
use super::survey::{JUMP_BYTES, Shim, Site, Survey};
use super::table::{Family, Hook};

/// What must be done with a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: its allocations come by name.
    Nothing,
    /// The sites are patched. The probe, if there is one, is asked afterwards.
    Patch,
    /// The probe is asked. If it is foreign and there are sites, they are patched and the probe is asked again.
    Probe,
    /// Nothing can be done.
    Refuse(Reason),
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its allocator is none that is known, and the build is optimised.
    UnknownAllocator,
    /// It uses functions of its allocator that have no stand-in.
    NoStandIn,
    /// It has an allocator, but its symbols are gone.
    Stripped,
    /// An entry is too short for a jump.
    NoRoom,
    /// Writing the jumps was not permitted.
    WriteDenied,
    /// The code in memory is not the code in the file.
    OtherFile,
    /// The jumps are in place, and blocks still come from elsewhere.
    StillForeign,
    /// No small block was ever allocated by its code.
    NothingSeen,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 8] = [
        Reason::UnknownAllocator,
        Reason::NoStandIn,
        Reason::Stripped,
        Reason::NoRoom,
        Reason::WriteDenied,
        Reason::OtherFile,
        Reason::StillForeign,
        Reason::NothingSeen,
    ];

    /// What a person reads.
    pub fn text(self) -> &'static str {
        match self {
            Reason::UnknownAllocator => {
                "its global allocator is not known here, and an optimised build hides the calls to it"
            }
            Reason::NoStandIn => "it calls functions of its own allocator that can't be followed",
            Reason::Stripped => "it brings its own allocator, and its symbols are stripped",
            Reason::NoRoom => "a function of its allocator is too short to be redirected",
            Reason::WriteDenied => "the system forbids redirecting the functions of its allocator",
            Reason::OtherFile => "its file is not the one that was loaded",
            Reason::StillForeign => "its allocator was redirected, but its blocks still come from elsewhere",
            Reason::NothingSeen => "not one allocation of its own code was seen",
        }
    }

    /// What a person can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Reason::Stripped => "build it with symbols: `strip = false` in the profile",
            Reason::UnknownAllocator => {
                "check a debug build, or leave the global allocator out of test builds"
            }
            _ => "leave its allocator out of this build",
        }
    }
}

/// A pair of functions that the shell calls before `main`, to see whose block comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `__rust_alloc(size, align)`.
    pub alloc: u64,
    /// `__rust_dealloc(block, size, align)`, when it was not inlined away.
    pub dealloc: Option<u64>,
}

impl Probe {
    /// The sizes to ask for, all with an alignment of eight.
    pub const SIZES: [usize; 4] = [24, 1337, 40_000, 1_048_576];

    /// Whether a block of `block_bytes` with `bytes` behind the answer is what `System` gives for `asked`. A wrapper may
    /// put a header before the block or a guard behind it; an arena asks for much more and gives out parts.
    pub fn is_fit(asked: usize, block_bytes: usize, bytes: usize) -> bool {
        bytes >= asked && block_bytes <= asked.saturating_add(256)
    }
}

/// What the probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is none, or it was not asked.
    NotAsked,
    /// Each size came as a block of the runtime, of about that size, and went back to it.
    Ours,
    /// Anything else.
    Foreign,
}

/// Whether the module's blocks are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// They are.
    Full,
    /// They are, unless by the end its code has allocated no block smaller than a page: then it is
    /// [`Reason::NothingSeen`]. Arenas that take their memory from `malloc` take it in large parts.
    IfSeen,
    /// They are not.
    Missing(Reason),
}

/// What is to be done with a module.
#[derive(Debug)]
pub struct Plan<'s, 'f> {
    /// The first thing to do.
    pub step: Step,
    /// Whom to ask.
    pub probe: Option<Probe>,
    survey: &'s Survey<'f>,
    shims: [Option<Site>; 4],
    is_sure: bool,
}

impl<'s, 'f> Plan<'s, 'f> {
    /// Decides by what the survey found.
    pub fn of(survey: &'s Survey<'f>) -> Plan<'s, 'f> {
        let mut plan = Plan { step: Step::Nothing, probe: None, survey, shims: [None; 4], is_sure: true };
        plan.decide();
        plan
    }

    fn decide(&mut self) {
        let survey = self.survey;
        let is_active = |family: &Option<Family>| family.is_some_and(|family| self.is_active(family));
        let is_known = survey.sites().any(|site| self.is_active(site.family));
        self.step = if survey.is_stripped && survey.is_program && (is_known || survey.marker) {
            Step::Refuse(Reason::Stripped)
        } else if is_known && (survey.too_many || survey.refused.iter().any(is_active)) {
            Step::Refuse(Reason::NoStandIn)
        } else if self.sites().any(|site| !site.fits) {
            Step::Refuse(Reason::NoRoom)
        } else if is_known {
            self.probe = self.probe_of_shims();
            Step::Patch
        } else {
            self.step_without_known_allocator()
        };
    }

    fn step_without_known_allocator(&mut self) -> Step {
        let survey = self.survey;
        if !survey.is_rust || survey.needs_std || self.is_default() {
            Step::Nothing
        } else if survey.shims[0].is_some() {
            self.probe = self.probe_of_shims();
            self.shims = self.shims_to_patch();
            Step::Probe
        } else if survey.is_stripped && survey.has_memalign {
            self.is_sure = false;
            Step::Nothing
        } else if survey.is_program || survey.has_global_alloc() {
            Step::Refuse(Reason::UnknownAllocator)
        } else {
            Step::Nothing
        }
    }

    /// The entries to overwrite.
    pub fn sites(&self) -> impl Iterator<Item = Site> + '_ {
        let known = self.survey.sites().filter(|site| self.is_active(site.family));
        known.chain(self.shims.iter().flatten().copied())
    }

    /// The bytes of a site's entry as the file holds them, as many as a jump takes.
    pub fn code_of(&self, site: &Site) -> Option<&'f [u8]> {
        self.survey.elf.bytes_at(site.address, JUMP_BYTES)
    }

    /// The address that `name` has in the module, before the load base is added.
    pub fn address_of(&self, name: &[u8]) -> Option<u64> {
        self.survey.elf.symbols().find(name).map(|symbol| symbol.address)
    }

    /// Whether a family is an allocator in use: some names alone are too common to mean one.
    fn is_active(&self, family: Family) -> bool {
        let has = |wanted: fn(Hook) -> bool| {
            self.survey.sites().any(|site| site.family == family && wanted(site.hook))
        };
        match family {
            // A static program has the C library's own; the linker was told to wrap that. One with the runtime in it has
            // the runtime's.
            Family::Libc => {
                !self.survey.has_runtime
                    && self.survey.is_dynamic
                    && has(|hook| hook == Hook::Alloc)
                    && has(|hook| hook == Hook::Free)
            }
            Family::Cxx => self.is_active(Family::Libc),
            _ => has(|hook| hook == Hook::Free) && has(|hook| hook != Hook::Free && hook != Hook::UsableSize),
        }
    }

    /// The code of `__rust_alloc`, and where it lies.
    fn code_of_alloc(&self) -> Option<(&'f [u8], u64)> {
        let shim = self.survey.shims[0]?;
        Some((self.survey.elf.bytes_at(shim.address, shim.size_bytes)?, shim.address))
    }

    /// Whether Rust allocates by `System`, which calls the C library.
    fn is_default(&self) -> bool {
        let target = self.code_of_alloc().and_then(|(code, address)| jump_of(code, address));
        target.is_some() && target == self.survey.default_alloc
    }

    fn probe_of_shims(&self) -> Option<Probe> {
        let alloc = self.survey.shims[0].filter(|_| !self.is_default())?.address;
        Some(Probe { alloc, dealloc: self.survey.shims[1].map(|shim| shim.address) })
    }

    /// The four shims, if they are all there, all have room, and the first was compiled without optimisation: then no
    /// caller has inlined one. One crate defines the four, so the first speaks for all. The sign is that it calls a
    /// function of [`core::alloc::Layout`] that is a mere pair of words.
    fn shims_to_patch(&self) -> [Option<Site>; 4] {
        const HOOKS: [Hook; 4] =
            [Hook::AllocAligned, Hook::Free, Hook::RustRealloc, Hook::AllocAlignedZeroed];
        let has_room = |shim: &Option<Shim>| shim.is_some_and(|shim| shim.size_bytes >= JUMP_BYTES);
        let calls_layout =
            |(code, address)| calls(code, address).any(|target| self.survey.is_of_layout(target));
        if !self.code_of_alloc().is_some_and(calls_layout) || !self.survey.shims.iter().all(has_room) {
            return [None; 4];
        }
        let mut sites = [None; 4];
        for ((site, shim), hook) in sites.iter_mut().zip(&self.survey.shims).zip(HOOKS) {
            *site = shim.map(|shim| Site { address: shim.address, hook, family: Family::Libc, fits: true });
        }
        sites
    }

    /// Judges a module after its step was done. `patched` says whether every site was written, if any was to be.
    pub fn settle(&self, patched: Result<(), Reason>, answer: Answer) -> Coverage {
        match (self.step, answer) {
            (Step::Refuse(reason), _) => Coverage::Missing(reason),
            (Step::Nothing, _) if self.is_sure => Coverage::Full,
            (Step::Nothing, _) => Coverage::IfSeen,
            (Step::Probe, Answer::Ours) => Coverage::Full,
            (Step::Probe, _) if self.shims[0].is_none() => Coverage::Missing(Reason::UnknownAllocator),
            (_, _) if patched.is_err() => Coverage::Missing(patched.err().unwrap_or(Reason::WriteDenied)),
            (_, Answer::Foreign) => Coverage::Missing(Reason::StillForeign),
            (Step::Patch, Answer::Ours) => Coverage::Full,
            // C calls its allocator by name, and no wrapper lies between.
            (Step::Patch, _) if !self.survey.is_rust || self.is_default() => Coverage::Full,
            (Step::Patch, _) => Coverage::IfSeen,
            (Step::Probe, _) => Coverage::Missing(Reason::StillForeign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::survey::survey;
    use super::*;
    use crate::elf::Elf;

    /// Decides about the test binary after `change` made it another program.
    fn check(what: &str, change: fn(&mut Survey<'_>), step: Step, answer: Answer, coverage: Coverage) {
        let file = std::fs::read("/proc/self/exe").expect("the test binary can be read");
        let mut survey = survey(&Elf::parse(&file).expect("an ELF file"));
        change(&mut survey);
        let plan = Plan::of(&survey);
        assert_eq!(plan.step, step, "{what}");
        assert_eq!(plan.settle(Ok(()), answer), coverage, "{what}");
    }

    #[test]
    fn each_kind_of_program_has_its_step_and_its_coverage() {
        use Answer::{Foreign, NotAsked, Ours};
        use Coverage::{Full, IfSeen, Missing};
        use Reason::{Stripped, UnknownAllocator};
        let refused = Step::Refuse(UnknownAllocator);
        check("plain", |_| {}, Step::Nothing, NotAsked, Full);
        check("wrapper", |it| it.default_alloc = None, Step::Probe, Ours, Full);
        check("arena", |it| it.default_alloc = None, Step::Probe, Foreign, Missing(UnknownAllocator));
        check("inlined", |it| it.shims = [None; 4], refused, NotAsked, Missing(UnknownAllocator));
        let shared_std = |it: &mut Survey<'_>| (it.shims, it.needs_std) = ([None; 4], true);
        check("shared std", shared_std, Step::Nothing, NotAsked, Full);
        check("C", |it| (it.shims, it.is_rust) = ([None; 4], false), Step::Nothing, NotAsked, Full);
        let stripped = |it: &mut Survey<'_>| (it.shims, it.is_stripped) = ([None; 4], true);
        check("stripped", stripped, Step::Nothing, NotAsked, IfSeen);
        let marked = |it: &mut Survey<'_>| (it.is_stripped, it.marker) = (true, true);
        check("marked", marked, Step::Refuse(Stripped), NotAsked, Missing(Stripped));
        let arena =
            |it: &mut Survey<'_>| (it.shims, it.is_stripped, it.has_memalign) = ([None; 4], true, false);
        check("stripped arena", arena, refused, NotAsked, Missing(UnknownAllocator));
    }
}
