//! The peers: how each one is put around a program, and the proof that it really checks.

use crate::ask::Ask;
use crate::case::Case;
use crate::child::{self, Sample};
use crate::house::{House, Linked, Profile, last_lines};
use crate::phase;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// What a peer leaves with when something leaked, where it lets itself be told (LeakSanitizer's own default).
const LEAKED: i32 = 23;
/// What gperftools leaves with; it lets nobody choose.
const LEAKED_GPERFTOOLS: i32 = 1;

const OUT: &str = "HEAPCHECK_OUT";

/// One way to run a program.
pub(crate) struct Peer {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    linked: Linked,
    prefix: Vec<&'static str>,
    env: Vec<(&'static str, PathBuf)>,
    leaked: i32,
    /// Runs a smaller share of the work, three times at most.
    pub(crate) slow: bool,
}

/// The program alone, on glibc's allocator.
pub(crate) fn plain() -> Peer {
    Peer {
        key: "plain",
        title: "plain",
        linked: Linked::Nothing,
        prefix: vec![],
        env: vec![],
        leaked: 0,
        slow: false,
    }
}

/// The program with its own counting allocator.
pub(crate) fn counter() -> Peer {
    Peer { linked: Linked::Counter, ..plain() }
}

/// The peers that are here, wanted, and proven; the reasons why others are not.
pub(crate) fn present(house: &House, ask: &Ask, cases: &[Case]) -> (Vec<Peer>, Vec<String>) {
    let mut skipped = Vec::new();
    let mut peers = Vec::new();
    let mut profiles = vec![Profile::Release];
    if cases.iter().any(|case| case.profile == Profile::Debug) {
        profiles.push(Profile::Debug);
    }
    let mut candidates = vec![Ok(plain())];
    candidates.extend(heapcheck(house, ask));
    candidates.push(Ok(linked_in("clang", "LeakSanitizer (clang)", Linked::ClangLsan)));
    candidates.push(Ok(linked_in("rustc", "LeakSanitizer (rustc)", Linked::RustcLsan)));
    candidates.push(Ok(valgrind()));
    candidates.push(Ok(Peer { slow: true, ..linked_in("dhat", "dhat-rs", Linked::Dhat) }));
    candidates.push(gperftools());
    for candidate in candidates {
        let proven = candidate.and_then(|peer| {
            if peer.key == "plain" || ask.wants_peer(peer.key) {
                prove(house, &peer, &profiles).map_err(|why| format!("{}: {why}", peer.title))?;
                Ok(Some(peer))
            } else {
                Ok(None)
            }
        });
        match proven {
            Ok(peer) => peers.extend(peer),
            Err(why) => {
                eprintln!("peers: skipped: {why}");
                skipped.push(why);
            }
        }
    }
    (peers, skipped)
}

fn heapcheck(house: &House, ask: &Ask) -> Vec<Result<Peer, String>> {
    if !ask.wants_peer("short") && !ask.wants_peer("full") {
        return vec![];
    }
    let runtime = match house.build_runtime() {
        Ok(runtime) => runtime,
        Err(why) => return vec![Err(format!("heapcheck: {why}"))],
    };
    let out = house.out_folder();
    let with = |key, title, stacks: &str| Peer {
        key,
        title,
        linked: Linked::Nothing,
        prefix: vec![],
        leaked: LEAKED,
        env: vec![
            ("LD_PRELOAD", runtime.clone()),
            ("HEAPCHECK", "normal".into()),
            ("HEAPCHECK_STACKS", stacks.into()),
            ("HEAPCHECK_REPORT", "none".into()),
            (OUT, out.clone()),
        ],
        slow: false,
    };
    vec![
        Ok(with("short", "heapcheck, short stacks", "short")),
        Ok(with("full", "heapcheck, full stacks", "full")),
    ]
}

fn linked_in(key: &'static str, title: &'static str, linked: Linked) -> Peer {
    Peer { key, title, linked, leaked: LEAKED, ..plain() }
}

fn valgrind() -> Peer {
    let prefix = vec![
        "valgrind",
        "--quiet",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect",
        "--error-exitcode=23",
    ];
    Peer { key: "valgrind", title: "valgrind", prefix, leaked: LEAKED, slow: true, ..plain() }
}

/// The heap checker that gperftools had until 2.16, in the build of the distribution: it unwinds with libunwind.
fn gperftools() -> Result<Peer, String> {
    const LIBRARY: &str = "libtcmalloc.so.4";
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let library = folders.iter().map(|folder| PathBuf::from(folder).join(LIBRARY)).find(|file| file.exists());
    let library = library.ok_or(format!("gperftools: there is no {LIBRARY} in {}", folders.join(", ")))?;
    let env = vec![("LD_PRELOAD", library), ("HEAPCHECK", "normal".into())];
    Ok(Peer {
        key: "gperftools",
        title: "gperftools, normal",
        env,
        leaked: LEAKED_GPERFTOOLS,
        slow: true,
        ..plain()
    })
}

/// Builds the counting variant.
pub(crate) fn build_counter(house: &House) -> Result<(), String> {
    house.build_programs(Profile::Release, Linked::Counter)
}

/// Builds what the peer needs; it must tell of the planted leak, and be quiet about a program without one.
fn prove(house: &House, peer: &Peer, profiles: &[Profile]) -> Result<(), String> {
    for &profile in profiles {
        house.build_programs(profile, peer.linked)?;
        for (program, expected) in [("leak", peer.leaked), ("empty", 0)] {
            let (status, _) = peer.run_any(house, profile, program, &[])?;
            if status.code() != Some(expected) {
                return Err(format!(
                    "self-test: `{program}` ({profile:?}) ended with {status}, expected {expected}{}",
                    complaint(house)
                ));
            }
        }
    }
    Ok(())
}

fn complaint(house: &House) -> String {
    let text = std::fs::read(house.stderr_file()).unwrap_or_default();
    let text = last_lines(&String::from_utf8_lossy(&text), 4);
    if text.is_empty() { text } else { format!("; it said:\n{text}") }
}

impl Peer {
    /// Whether it sees blocks that do not come from Rust's global allocator.
    pub(crate) fn sees_raw(&self) -> bool {
        self.linked != Linked::Dhat
    }

    /// One run of a clean program: any other status than 0 is an error.
    pub(crate) fn run(&self, house: &House, case: &Case, light: bool) -> Result<Sample, String> {
        let args = if light { case.light.unwrap_or(case.args) } else { case.args };
        let (status, sample) = self.run_any(house, case.profile, case.program, args)?;
        if status.success() {
            Ok(sample)
        } else {
            Err(format!("{}, {}: ended with {status}{}", self.title, case.title, complaint(house)))
        }
    }

    fn run_any(
        &self,
        house: &House,
        profile: Profile,
        program: &str,
        args: &[&str],
    ) -> Result<(ExitStatus, Sample), String> {
        let program = house.programs_folder(profile, self.linked).join(program);
        let mut command = match self.prefix.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(args);
        // What cargo or the user set for other purposes must not reach a program that is measured.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["LD_", "HEAP", "LSAN_", "ASAN_", "MALLOC_", "GLIBC_", "VALGRIND", "CARGO", "RUST"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                command.env_remove(&name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let out = self.env.iter().find(|(name, _)| *name == OUT).map(|(_, folder)| folder);
        // One run, one record: the newest one is then this run's.
        if let Some(out) = out {
            house.empty_folder(out);
        }
        let (status, mut sample) = child::run(&mut command, &house.stderr_file())?;
        sample.phase_ns = out.and_then(|out| phase::read_phase_ns(out));
        Ok((status, sample))
    }
}
