#![forbid(unsafe_code)]
//! What can be set for a test, as one source says it and as it is in the end.

use heapcheck_rt::options::{Mode, Stacks};
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::document::{Table, nearest};
use crate::config::quantity::{SIZE, Timeout, read_size};

/// How much of each stack is recorded, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Short at first; a test that leaks is run again with full stacks.
    Auto,
    /// Always the same.
    Fixed(Stacks),
}

impl Depth {
    /// How they are spelled.
    pub(crate) const NAMES: [&'static str; 4] = ["auto", "full", "short", "off"];

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Self {
        Stacks::ALL.into_iter().find(|stacks| stacks.name() == name).map_or(Self::Auto, Self::Fixed)
    }

    /// What a program that is run once records.
    pub(crate) fn once(self) -> Stacks {
        match self {
            Self::Auto => Stacks::Full,
            Self::Fixed(stacks) => stacks,
        }
    }
}

/// What one source says; `None`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    /// Which leaks count, and when they are looked for.
    pub(crate) mode: Option<String>,
    /// How much of each stack is recorded.
    pub(crate) stacks: Option<String>,
    /// A test may leak as much.
    pub(crate) max_leaked_bytes: Option<u64>,
    /// How long a test may run.
    pub(crate) timeout: Option<Timeout>,
    /// Whether a test that leaks is run again with full stacks, where stacks are `auto`.
    pub(crate) rerun: Option<bool>,
    /// Whether the test is checked at all.
    pub(crate) check: Option<bool>,
    /// Which programs started by it are checked, too: `none`, `all` or a folder.
    pub(crate) children: Option<String>,
    /// Whether the build of plain cargo is used as it is.
    pub(crate) no_rebuild: Option<bool>,
    /// Whether everything that is in use at the end is recorded, too.
    pub(crate) in_use: Option<bool>,
}

impl Said {
    /// This, and where it is silent, what a weaker source says.
    pub(crate) fn or(self, weaker: &Self) -> Self {
        let weaker = weaker.clone();
        Self {
            mode: self.mode.or(weaker.mode),
            stacks: self.stacks.or(weaker.stacks),
            max_leaked_bytes: self.max_leaked_bytes.or(weaker.max_leaked_bytes),
            timeout: self.timeout.or(weaker.timeout),
            rerun: self.rerun.or(weaker.rerun),
            check: self.check.or(weaker.check),
            children: self.children.or(weaker.children),
            no_rebuild: self.no_rebuild.or(weaker.no_rebuild),
            in_use: self.in_use.or(weaker.in_use),
        }
    }

    /// Takes the keys that hold for single tests out of a table.
    pub(crate) fn take(table: &mut Table<'_>) -> Result<Self, Complaint> {
        let word = |word: &str| word.to_string();
        let children = |follow: bool| if follow { "all" } else { "none" }.to_string();
        Ok(Self {
            mode: table.take("mode", |value| value.word("mode", &Mode::NAMES))?.map(word),
            stacks: table.take("stacks", |value| value.word("kind of stacks", &Depth::NAMES))?.map(word),
            max_leaked_bytes: table.take("max-leaked-bytes", |value| value.parsed(SIZE, read_size))?,
            timeout: table.take("timeout", |value| value.parsed(Timeout::WHAT, Timeout::read))?,
            rerun: table.take("rerun", |value| value.boolean())?,
            check: table.take("check", |value| value.boolean())?,
            children: table.take("follow-children", |value| value.boolean())?.map(children),
            no_rebuild: None,
            in_use: table.take("in-use", |value| value.boolean())?,
        })
    }

    /// What the environment says. An empty variable says nothing.
    pub(crate) fn of_environment(get: impl Fn(&str) -> Option<String>) -> Result<Self, Complaint> {
        let text = |name: &str| get(name).filter(|value| !value.is_empty());
        let word = |name: &str, words: &[&'static str]| match text(name) {
            Some(value) if !words.contains(&value.as_str()) => Err(unknown_word(name, &value, words)),
            value => Ok(value),
        };
        let flag = |name: &str| match text(name).as_deref() {
            None => Ok(None),
            Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
            Some("0" | "false" | "no" | "off") => Ok(Some(false)),
            Some(other) => Err(wrong_value(name, "`1` or `0`", other, "it is neither")),
        };
        Ok(Self {
            mode: word("HEAPCHECK", &Mode::NAMES)?,
            stacks: word("HEAPCHECK_STACKS", &Depth::NAMES)?,
            max_leaked_bytes: parsed("HEAPCHECK_MAX_LEAKED_BYTES", SIZE, text, read_size)?,
            timeout: parsed("HEAPCHECK_TIMEOUT", Timeout::WHAT, text, Timeout::read)?,
            rerun: flag("HEAPCHECK_RERUN")?,
            check: None,
            children: text("HEAPCHECK_CHILDREN"),
            no_rebuild: flag("HEAPCHECK_NO_REBUILD")?,
            in_use: flag("HEAPCHECK_IN_USE")?,
        })
    }

    /// What holds in the end, when all sources have been asked.
    pub(crate) fn settle(self) -> Settings {
        Settings {
            mode: self.mode.unwrap_or_else(|| Mode::Normal.name().to_string()),
            depth: self.stacks.map_or(Depth::Auto, |name| Depth::named(&name)),
            max_leaked_bytes: self.max_leaked_bytes.unwrap_or(0),
            timeout: self.timeout.unwrap_or_default(),
            reruns: self.rerun.unwrap_or(true),
            is_checked: self.check.unwrap_or(true),
            children: self.children.unwrap_or_else(|| "none".to_string()),
            keeps_build: self.no_rebuild.unwrap_or(false),
            has_in_use: self.in_use.unwrap_or(false),
        }
    }
}

fn parsed<T>(
    name: &str,
    what: &str,
    text: impl Fn(&str) -> Option<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Complaint> {
    let Some(value) = text(name) else { return Ok(None) };
    parse(&value).map(Some).map_err(|why| wrong_value(name, what, &value, &why))
}

fn wrong_value(name: &str, what: &str, value: &str, why: &str) -> Complaint {
    Complaint::usage(format!("{name} must be {what}, not `{value}`: {why}"))
}

fn unknown_word(name: &str, value: &str, words: &[&'static str]) -> Complaint {
    let what = if name == "HEAPCHECK" { "mode" } else { "kind of stacks" };
    Complaint::usage(format!("{name} names an unknown {what}, `{value}`")).hint(match nearest(value, words) {
        Some(word) => format!("did you mean `{word}`? There are {}", words.join(", ")),
        None => format!("there are {}", words.join(", ")),
    })
}

/// What holds for one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Which leaks count, and when they are looked for.
    pub(crate) mode: String,
    /// How much of each stack is recorded.
    pub(crate) depth: Depth,
    /// It may leak as much.
    pub(crate) max_leaked_bytes: u64,
    /// How long it may run.
    pub(crate) timeout: Timeout,
    /// Whether it may be run twice.
    pub(crate) reruns: bool,
    /// Whether it is checked at all.
    pub(crate) is_checked: bool,
    /// Which programs started by it are checked, too.
    pub(crate) children: String,
    /// Whether the build of plain cargo is used as it is.
    pub(crate) keeps_build: bool,
    /// Whether everything that is in use at the end is recorded, too.
    pub(crate) has_in_use: bool,
}

impl Settings {
    /// Whether a leak is looked at again with full stacks.
    pub(crate) fn has_second_phase(&self) -> bool {
        // What is in use is recorded once, and then with whole stacks.
        self.depth == Depth::Auto && self.reruns && !self.has_in_use
    }

    /// What the first run of a test records. When it is the only one, it has to say everything.
    pub(crate) fn first_stacks(&self) -> Stacks {
        if self.has_second_phase() { Stacks::Short } else { self.depth.once() }
    }
}
