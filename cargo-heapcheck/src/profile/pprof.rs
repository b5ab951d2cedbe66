#![forbid(unsafe_code)]
//! The profile that `go tool pprof`, Perfetto and speedscope read: `profile.proto` of github.com/google/pprof, gzipped.
//!
//! Symbols are inside, so no program needs to be at hand. Two peculiarities of pprof are served: it takes a name whose
//! `system_name` is the same for one that it must demangle, and would cut `<app::Cache<u8>>::insert` down to `::insert`;
//! and it looks into the program on disk unless every mapping says that names, files, lines and inlined functions are
//! all known.

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::layout::{Layout, Spot};
use super::sample::{Metric, Sample, Which};
use super::select::Profile;
use super::wire::Message;
use crate::symbols::Frame;

/// The fields of the messages, by their numbers in profile.proto.
mod field {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const MAPPING: u64 = 3;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING_TABLE: u64 = 6;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const COMMENT: u64 = 13;
    pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

/// What is measured, in the order of the values of a sample. What is in use has its place where it was recorded.
const SAMPLE_TYPES: [(Which, Metric); 4] = [
    (Which::Leaked, Metric::Objects),
    (Which::Leaked, Metric::Space),
    (Which::InUse, Metric::Objects),
    (Which::InUse, Metric::Space),
];

/// Writes the profile.
pub(crate) fn render(profile: &Profile<'_>) -> Vec<u8> {
    let mut writer = Writer::new(profile);
    for sample in profile.leaked().iter().chain(profile.in_use().unwrap_or_default()) {
        writer.add_sample(sample);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(&writer.finish());
    encoder.finish().unwrap_or_default()
}

/// A label that Go's pprof can draw: up to Go 1.19 at least, it writes labels for graphviz as they are, between quotes.
fn without_quotes(label: &str) -> String {
    label.replace('"', "'").replace('\\', "/")
}

/// The lines of one location: its spot, and the functions and lines that are inlined there, innermost first.
type Place = (Spot, Vec<(u64, u64)>);

struct Writer<'e> {
    types: &'static [(Which, Metric)],
    /// What is shown first.
    default: (Which, Metric),
    layout: Layout<'e>,
    profile: Message,
    strings: HashMap<String, u64>,
    table: Vec<String>,
    functions: HashMap<(&'e str, &'e str, &'e str), u64>,
    locations: HashMap<Place, u64>,
}

impl<'e> Writer<'e> {
    fn new(profile: &Profile<'e>) -> Self {
        let has_leaked = !profile.leaked().is_empty();
        let which = match profile.in_use() {
            Some(_) if !has_leaked => Which::InUse,
            _ => profile.which,
        };
        Self {
            types: if profile.in_use().is_some() { &SAMPLE_TYPES } else { &SAMPLE_TYPES[..2] },
            default: (which, Metric::Space),
            layout: Layout::of(profile.units),
            profile: Message::default(),
            // The first text of the table is the empty one.
            strings: HashMap::from([(String::new(), 0)]),
            table: vec![String::new()],
            functions: HashMap::new(),
            locations: HashMap::new(),
        }
    }

    fn string(&mut self, text: &str) -> u64 {
        if let Some(&number) = self.strings.get(text) {
            return number;
        }
        let number = self.table.len() as u64;
        self.table.push(text.to_string());
        self.strings.insert(text.to_string(), number);
        number
    }

    fn add_sample(&mut self, sample: &Sample<'e>) {
        let mut message = Message::default();
        let locations = self.locations_of(sample);
        message.numbers(1, locations);
        // A negative number is written as its two's complement.
        let own = if sample.kind.is_some() { Which::Leaked } else { Which::InUse };
        let value = |&(which, metric): &(Which, Metric)| {
            if which == own { sample.amount.of(metric) as u64 } else { 0 }
        };
        message.numbers(2, self.types.iter().map(value));
        let labels = [
            ("test", sample.test),
            ("kind", sample.kind_name()),
            ("type", sample.allocated),
            ("thread", sample.thread),
        ];
        for (key, value) in labels.into_iter().filter(|(_, value)| !value.is_empty()) {
            let mut label = Message::default();
            label.number(1, self.string(key));
            label.number(2, self.string(&without_quotes(value)));
            message.message(3, label);
        }
        self.profile.message(field::SAMPLE, message);
    }

    fn locations_of(&mut self, sample: &Sample<'e>) -> Vec<u64> {
        let mut locations = Vec::new();
        let mut lines = Vec::new();
        for (at, frame) in sample.frames.iter().enumerate() {
            lines.push((self.function(frame), u64::from(frame.line.unwrap_or(0))));
            let goes_on = frame.is_inlined && at + 1 < sample.frames.len();
            if !goes_on {
                let spot = self.layout.spot(sample.unit, frame);
                locations.push(self.location((spot, std::mem::take(&mut lines))));
            }
        }
        locations
    }

    fn function(&mut self, frame: &'e Frame) -> u64 {
        let linkage = frame.linkage.as_deref().unwrap_or_default();
        // An equal name would be demangled as if it were one of C++.
        let is_plain = frame.function.chars().all(|c| c.is_alphanumeric() || "_.$".contains(c));
        let system = if *linkage == *frame.function && !is_plain { "" } else { linkage };
        let key = (&*frame.function, system, frame.file.as_deref().unwrap_or_default());
        if let Some(&id) = self.functions.get(&key) {
            return id;
        }
        let id = self.functions.len() as u64 + 1;
        self.functions.insert(key, id);
        let mut message = Message::default();
        message.number(1, id);
        for (field, text) in [(2, key.0), (3, key.1), (4, key.2)] {
            message.number(field, self.string(text));
        }
        self.profile.message(field::FUNCTION, message);
        id
    }

    fn location(&mut self, place: Place) -> u64 {
        if let Some(&id) = self.locations.get(&place) {
            return id;
        }
        let id = self.locations.len() as u64 + 1;
        let mut message = Message::default();
        message.number(1, id);
        message.number(2, place.0.segment.map_or(0, |segment| segment as u64 + 1));
        // The call, not what follows it.
        message.number(3, place.0.pc.saturating_sub(1));
        for (function, line) in &place.1 {
            let mut inner = Message::default();
            inner.number(1, *function);
            inner.number(2, *line);
            message.message(4, inner);
        }
        self.profile.message(field::LOCATION, message);
        self.locations.insert(place, id);
        id
    }

    fn add_mappings(&mut self) {
        for number in 0..self.layout.segments().len() {
            let segment = self.layout.segments()[number].clone();
            let mut message = Message::default();
            message.number(1, number as u64 + 1);
            message.number(2, segment.start);
            message.number(3, segment.end);
            message.number(4, segment.offset);
            message.number(5, self.string(&segment.path));
            message.number(6, self.string(&segment.build_id));
            // Functions, file names, line numbers and inlined frames are known.
            (7..=10).for_each(|flag| message.number(flag, 1));
            self.profile.message(field::MAPPING, message);
        }
    }

    fn value_type(&mut self, (name, unit): (&str, &str)) -> Message {
        let mut message = Message::default();
        message.number(1, self.string(name));
        message.number(2, self.string(unit));
        message
    }

    fn finish(mut self) -> Vec<u8> {
        for &(which, metric) in self.types {
            let unit = if metric == Metric::Space { "bytes" } else { "count" };
            let message = self.value_type((metric.name(which), unit));
            self.profile.message(field::SAMPLE_TYPE, message);
        }
        self.add_mappings();
        let period = self.value_type(("space", "bytes"));
        self.profile.message(field::PERIOD_TYPE, period);
        self.profile.number(field::PERIOD, 1);
        let comment = self.string("written by cargo heapcheck");
        self.profile.numbers(field::COMMENT, [comment]);
        let default = self.string(self.default.1.name(self.default.0));
        self.profile.number(field::DEFAULT_SAMPLE_TYPE, default);
        for text in &self.table {
            self.profile.text(field::STRING_TABLE, text);
        }
        self.profile.into_bytes()
    }
}
