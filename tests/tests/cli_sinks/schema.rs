#![forbid(unsafe_code)]
//! Holds a JSON value to a JSON schema: as much of the language as ours uses. A keyword that is not known here is an error,
//! and so is a field that the schema does not have: a report must not say more than what is published.

use serde_json::Value;

/// Keywords that hold a value to nothing.
const ABOUT: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "$defs",
    "definitions",
    "format",
    "default",
    "additionalProperties",
];

/// What is wrong with `value`, if anything.
pub(crate) fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    check(schema, schema, value, "$", &mut complaints);
    complaints
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, complaints: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return };
    for (keyword, wanted) in keywords {
        let mut fail = |what: String| complaints.push(format!("{at}: {what}"));
        match keyword.as_str() {
            "$ref" => {
                let path = wanted.as_str().unwrap_or_default().trim_start_matches('#');
                match root.pointer(path) {
                    Some(found) => check(root, found, value, at, complaints),
                    None => fail(format!("no schema at {path}")),
                }
            }
            "type" => {
                let fits = |kind: &Value| is_of_kind(value, kind.as_str().unwrap_or_default());
                let is_fine = wanted.as_array().map_or_else(|| fits(wanted), |kinds| kinds.iter().any(fits));
                if !is_fine {
                    fail(format!("{value} is no {wanted}"));
                }
            }
            "const" if value != wanted => fail(format!("{value} is not {wanted}")),
            "enum" if !wanted.as_array().is_some_and(|all| all.contains(value)) => {
                fail(format!("{value} is none of {wanted}"));
            }
            "minimum" if value.as_f64() < wanted.as_f64() && value.is_number() => {
                fail(format!("{value} is below {wanted}"));
            }
            "required" => {
                for name in wanted.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        fail(format!("`{name}` is missing"));
                    }
                }
            }
            "properties" => {
                // Where it does not say that there may be more, there may not.
                let more = keywords.get("additionalProperties").filter(|more| **more != Value::Bool(false));
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match wanted.get(name).or(more) {
                        Some(schema) => check(root, schema, inner, &format!("{at}.{name}"), complaints),
                        None => complaints.push(format!("{at}: `{name}` is not in the schema")),
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}[{number}]"), complaints);
                }
            }
            "oneOf" | "anyOf" => {
                let fits = |schema: &&Value| {
                    let mut inner = Vec::new();
                    check(root, schema, value, at, &mut inner);
                    inner.is_empty()
                };
                let count = wanted.as_array().into_iter().flatten().filter(fits).count();
                if count == 0 || (keyword == "oneOf" && count > 1) {
                    fail(format!("{value} fits {count} of {keyword}"));
                }
            }
            "minItems" => {
                if value.as_array().is_some_and(|items| Some(items.len() as u64) < wanted.as_u64()) {
                    fail(format!("it has fewer than {wanted} items"));
                }
            }
            "uniqueItems" if wanted == true => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                if (1..items.len()).any(|at| items[..at].contains(&items[at])) {
                    fail("an item is there twice".into());
                }
            }
            "const" | "enum" | "minimum" | "uniqueItems" => {}
            other if ABOUT.contains(&other) => {}
            other => fail(format!("the keyword `{other}` is unknown")),
        }
    }
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_held_to_its_schema() {
        let schema = json!({
            "type": "object", "required": ["a"],
            "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "type": ["string", "null"] },
                "c": { "type": "array", "items": { "type": "integer", "minimum": 0 } } },
            "$defs": { "A": { "oneOf": [{ "const": "x" }, { "const": "y" }] } },
        });
        let check = |value: Value, is_fine: bool| {
            assert_eq!(complaints(&schema, &value).is_empty(), is_fine, "{value}");
        };
        check(json!({ "a": "x", "b": null, "c": [0, 1] }), true);
        check(json!({ "a": "z" }), false);
        check(json!({ "b": "s" }), false);
        check(json!({ "a": "y", "b": 1 }), false);
        check(json!({ "a": "y", "c": [-1] }), false);
        check(json!({ "a": "y", "c": 1 }), false);
        check(json!({ "a": "y", "d": 1 }), false);
        check(json!([]), false);
        let schema = json!({ "properties": {}, "additionalProperties": { "type": "array", "minItems": 1, "uniqueItems": true } });
        let check = |value: Value, is_fine: bool| {
            assert_eq!(complaints(&schema, &value).is_empty(), is_fine, "{value}");
        };
        check(json!({ "a": [1, 2] }), true);
        check(json!({ "a": [1, 1] }), false);
        check(json!({ "a": [] }), false);
        check(json!({ "a": 1 }), false);
        assert!(!complaints(&json!({ "pattern": "a" }), &json!("a")).is_empty());
    }
}
