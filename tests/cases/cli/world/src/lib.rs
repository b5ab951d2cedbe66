//! Tests that look around.

/// The flags of rustc that have arrived.
/// ```
/// assert_eq!(world::flags(), "");
/// ```
pub fn flags() -> String {
    let all = [
        ("build", cfg!(flag = "build")),
        ("triple", cfg!(flag = "triple")),
        ("cfg", cfg!(flag = "cfg")),
        ("rustflags", cfg!(flag = "rustflags")),
        ("encoded", cfg!(flag = "encoded")),
    ];
    all.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    include!("../sees.rs");

    #[test]
    fn only_the_test_has_the_runtime() {
        assert!(sees_runtime());
        assert_eq!(env!("BUILD_SCRIPT_SEES"), "false");
        assert!(!marks::compiler_sees!());
    }

    #[test]
    fn what_a_test_starts_has_none() {
        let seen = |look: &str| {
            let output = std::process::Command::new("sh").args(["-c", look]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let (variables, files) = (seen("env"), seen("cat /proc/$$/maps"));
        assert!(variables.contains("PATH=") && files.contains("/libc.so"), "{variables}{files}");
        let ours = ["LD_PRELOAD=", "HEAPCHECK=", "HEAPCHECK_BEHIND="];
        assert!(!variables.lines().any(|line| ours.iter().any(|name| line.starts_with(name))), "{variables}");
        assert!(!files.contains(concat!("libheapcheck", "_rt.so")), "{files}");
    }

    #[test]
    fn what_a_test_builds_is_built_without_it() {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--manifest-path", "inner/Cargo.toml", "--target-dir"]);
        let output = cargo.arg(std::env::var("INNER_TARGET").unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
