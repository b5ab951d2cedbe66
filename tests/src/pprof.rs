#![forbid(unsafe_code)]
//! The messages of pprof's `profile.proto`, for an independent decoder: what the tool writes by hand, prost reads.

/// A profile.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Profile {
    /// What is measured.
    #[prost(message, repeated, tag = "1")]
    pub sample_type: Vec<ValueType>,
    /// The samples.
    #[prost(message, repeated, tag = "2")]
    pub sample: Vec<Sample>,
    /// The loaded files.
    #[prost(message, repeated, tag = "3")]
    pub mapping: Vec<Mapping>,
    /// The places in them.
    #[prost(message, repeated, tag = "4")]
    pub location: Vec<Location>,
    /// The functions.
    #[prost(message, repeated, tag = "5")]
    pub function: Vec<Function>,
    /// All texts; the others refer to them by number.
    #[prost(string, repeated, tag = "6")]
    pub string_table: Vec<String>,
    /// What a period is.
    #[prost(message, optional, tag = "11")]
    pub period_type: Option<ValueType>,
    /// How much lies between two samples.
    #[prost(int64, tag = "12")]
    pub period: i64,
    /// Remarks.
    #[prost(int64, repeated, tag = "13")]
    pub comment: Vec<i64>,
    /// Which measure is shown first.
    #[prost(int64, tag = "14")]
    pub default_sample_type: i64,
}

/// A measure and its unit.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ValueType {
    /// The measure.
    #[prost(int64, tag = "1")]
    pub r#type: i64,
    /// The unit.
    #[prost(int64, tag = "2")]
    pub unit: i64,
}

/// A stack with its values.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sample {
    /// The stack, innermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub location_id: Vec<u64>,
    /// One value for each measure.
    #[prost(int64, repeated, tag = "2")]
    pub value: Vec<i64>,
    /// What else is known.
    #[prost(message, repeated, tag = "3")]
    pub label: Vec<Label>,
}

/// A key with a text or a number.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Label {
    /// The key.
    #[prost(int64, tag = "1")]
    pub key: i64,
    /// The text.
    #[prost(int64, tag = "2")]
    pub str: i64,
    /// The number.
    #[prost(int64, tag = "3")]
    pub num: i64,
}

/// A loaded file.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Mapping {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Where its code begins.
    #[prost(uint64, tag = "2")]
    pub memory_start: u64,
    /// Where it ends.
    #[prost(uint64, tag = "3")]
    pub memory_limit: u64,
    /// Where that is in the file.
    #[prost(uint64, tag = "4")]
    pub file_offset: u64,
    /// Its path.
    #[prost(int64, tag = "5")]
    pub filename: i64,
    /// Its build id.
    #[prost(int64, tag = "6")]
    pub build_id: i64,
    /// Whether functions are known.
    #[prost(bool, tag = "7")]
    pub has_functions: bool,
    /// Whether files are known.
    #[prost(bool, tag = "8")]
    pub has_filenames: bool,
    /// Whether lines are known.
    #[prost(bool, tag = "9")]
    pub has_line_numbers: bool,
    /// Whether inlined functions are known.
    #[prost(bool, tag = "10")]
    pub has_inline_frames: bool,
}

/// A place in the code.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Location {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The file it lies in.
    #[prost(uint64, tag = "2")]
    pub mapping_id: u64,
    /// Its address.
    #[prost(uint64, tag = "3")]
    pub address: u64,
    /// Its lines, those of inlined functions first.
    #[prost(message, repeated, tag = "4")]
    pub line: Vec<Line>,
}

/// A line of a function.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Line {
    /// The function.
    #[prost(uint64, tag = "1")]
    pub function_id: u64,
    /// The line.
    #[prost(int64, tag = "2")]
    pub line: i64,
}

/// A function.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Function {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Its name for people.
    #[prost(int64, tag = "2")]
    pub name: i64,
    /// Its name for the linker.
    #[prost(int64, tag = "3")]
    pub system_name: i64,
    /// Its file.
    #[prost(int64, tag = "4")]
    pub filename: i64,
}

impl Profile {
    /// The text with this number.
    pub fn text(&self, number: i64) -> &str {
        &self.string_table[usize::try_from(number).unwrap()]
    }

    /// The names of a stack, innermost first.
    pub fn stack(&self, sample: &Sample) -> Vec<&str> {
        let locations =
            sample.location_id.iter().map(|id| self.location.iter().find(|l| l.id == *id).unwrap());
        let lines = locations.flat_map(|location| &location.line);
        let functions = lines.map(|line| self.function.iter().find(|f| f.id == line.function_id).unwrap());
        functions.map(|function| self.text(function.name)).collect()
    }

    /// The label of a sample with this key.
    pub fn label(&self, sample: &Sample, key: &str) -> Option<&str> {
        let label = sample.label.iter().find(|label| self.text(label.key) == key)?;
        Some(self.text(label.str))
    }
}
