//! Nine clean tests that allocate a lot, as tests of real crates do: JSON is parsed and written, maps of strings are built
//! and copied, regular expressions are compiled and used.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    fn document(levels: u32) -> Value {
        match levels {
            0 => json!({"name": "leaf of a tree", "number": 12.5, "list": [1, 2, 3, null, true]}),
            _ => json!({"left": document(levels - 1), "right": document(levels - 1), "level": levels}),
        }
    }

    fn parse(levels: u32, times: u32) {
        let text = document(levels).to_string();
        for _ in 0..times {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.to_string().len(), text.len());
        }
    }

    fn fill(keys: u64, times: u64) {
        for round in 0..times {
            let name = |key: u64| format!("key {:x}", key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round);
            let map: BTreeMap<String, Vec<String>> =
                (0..keys).map(|key| (name(key), (0..4).map(|line| format!("line {line}")).collect())).collect();
            assert_eq!(map.clone().len(), map.len());
        }
    }

    fn compile(pattern: &str, times: u32) {
        for _ in 0..times {
            let regex = regex::Regex::new(pattern).unwrap();
            assert!(regex.is_match("2024-02-29T12:00:00Z said 10.0.0.1 to someone@example.org"));
        }
    }

    #[test]
    fn parses_a_large_document() {
        parse(11, 45);
    }

    #[test]
    fn parses_a_middling_document() {
        parse(7, 700);
    }

    #[test]
    fn parses_small_documents() {
        parse(2, 20_000);
    }

    #[test]
    fn fills_a_large_map() {
        fill(100_000, 4);
    }

    #[test]
    fn fills_middling_maps() {
        fill(5_000, 100);
    }

    #[test]
    fn fills_small_maps() {
        fill(50, 10_000);
    }

    #[test]
    fn compiles_a_date() {
        compile(r"^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})", 150);
    }

    #[test]
    fn compiles_an_address() {
        compile(r"([a-z0-9._-]+)@([a-z0-9-]+\.)+[a-z]{2,8}", 600);
    }

    #[test]
    fn compiles_numbers() {
        compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})", 900);
    }
}
