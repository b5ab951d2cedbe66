//! What was typed after `cargo bench -p heapcheck-tests --`.

const HELP: &str = "\
usage: cargo bench -p heapcheck-tests -- [options]
  --quick            fewer pairs, smaller graphs, no debug builds
  --only A,B         only these groups: json, btree, regex, debug, pair, threads, churn, empty, graph, footprint, stacks
  --peers A,B        only these peers: short, full, clang, rustc, valgrind, dhat, gperftools
  --write-readme     put the headline table between the bench markers of README.md; with --only or --peers,
                     the other rows and columns stay as they are
environment:
  HEAPCHECK_BENCH_RUNTIME=FILE   measure this runtime instead of building heapcheck-rt/src/rt.rs";

const GROUPS: [&str; 11] =
    ["json", "btree", "regex", "debug", "pair", "threads", "churn", "empty", "graph", "footprint", "stacks"];
const PEERS: [&str; 7] = ["short", "full", "clang", "rustc", "valgrind", "dhat", "gperftools"];

/// The options, as typed.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) bench: bool,
    pub(crate) quick: bool,
    pub(crate) write_readme: bool,
    only: Option<Vec<String>>,
    peers: Option<Vec<String>>,
}

impl Ask {
    /// Reads the arguments; the error is what to tell the user.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Ask, String> {
        let mut ask = Ask::default();
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => ask.bench = true,
                "--quick" => ask.quick = true,
                "--write-readme" => ask.write_readme = true,
                "--only" => ask.only = Some(list(words.next(), &GROUPS)?),
                "--peers" => ask.peers = Some(list(words.next(), &PEERS)?),
                "--help" | "-h" => return Err(HELP.into()),
                _ => return Err(format!("error: unknown argument `{word}`\n{HELP}")),
            }
        }
        Ok(ask)
    }

    /// Whether some cases or peers were left out on purpose.
    pub(crate) fn is_part(&self) -> bool {
        self.only.is_some() || self.peers.is_some()
    }

    pub(crate) fn wants_group(&self, group: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == group))
    }

    pub(crate) fn wants_peer(&self, peer: &str) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|name| name == peer))
    }
}

fn list(word: Option<String>, known: &[&str]) -> Result<Vec<String>, String> {
    let word = word.ok_or_else(|| format!("error: a list of names is missing\n{HELP}"))?;
    let names = word.split(',').map(|name| match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("error: unknown name `{name}`\n{HELP}")),
    });
    names.collect()
}
