//! Writes the program: thousands of functions, each of which loses blocks of a type of its own.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Places that leak, and blocks that each loses.
const SITES: usize = 2000;
const BLOCKS: usize = 100;
/// Every so many places has code that is there for its debug information: the executable has about 50 MB.
const SHOWN: usize = 12;

fn main() {
    let mut text = String::new();
    for site in 0..SITES {
        let size = 1 + site % 40;
        let kind = ["u64", "u32", "f64", "(u8, u64)"][site % 4];
        let _ = write!(
            text,
            "
            #[derive(Debug, Clone)]
            struct Kind{site} {{ values: [{kind}; {size}], name: u64, table: BTreeMap<u64, String> }}
            #[inline(never)]
            fn lose{site}() {{
                for _ in 0..{BLOCKS} {{ std::mem::forget(Box::new(Held::<Kind{site}, {site}>(None, [1; 4]))); }}
            }}
            "
        );
        if site % SHOWN == 0 {
            let _ = write!(
                text,
                "
                #[inline(never)]
                fn show{site}(all: &[Kind{site}]) -> String {{
                    let mut sorted: Vec<Kind{site}> = all.to_vec();
                    sorted.sort_by_key(|kind| kind.name);
                    let index: HashMap<u64, Kind{site}> = sorted.into_iter().map(|kind| (kind.name, kind)).collect();
                    format!(\"{{:?}}\", index)
                }}
                "
            );
        }
    }
    let calls = |name: &str, arguments: &str| {
        (0..SITES)
            .filter(|site| name == "lose" || site % SHOWN == 0)
            .map(|site| format!("{name}{site}({arguments});\n"))
            .collect::<String>()
    };
    let _ = write!(
        text,
        "fn lose_all() {{ {} }}\nfn show_all() {{ {} }}",
        calls("lose", ""),
        calls("show", "&[]")
    );
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    fs::write(out.join("sites.rs"), text).unwrap();
    println!("cargo::rerun-if-changed=build.rs");
}
