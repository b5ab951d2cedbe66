//! Where things lie, and how they are built: the programs in their variants, the runtime, the results, the README.

use heapcheck_rt::recipe::Form;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a program is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    Release,
    Debug,
}

/// What is linked into a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linked {
    Nothing,
    ClangLsan,
    RustcLsan,
    Dhat,
    /// The programs' own counting allocator: for what a program is, never for its time.
    Counter,
}

const README_BEGIN: &str = "<!-- bench:begin -->";
const README_END: &str = "<!-- bench:end -->";

pub(crate) struct House {
    root: PathBuf,
    folder: PathBuf,
    /// The host triple: with `--target`, build scripts are not linked with a checker.
    triple: String,
    sysroot: PathBuf,
    pub(crate) rustc: String,
    built: RefCell<Vec<(Profile, Linked)>>,
}

impl House {
    /// Finds the folders and the compiler.
    pub(crate) fn open() -> Result<House, String> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = tests.parent().ok_or("the tests lie in no workspace")?.to_path_buf();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.parent().ok_or("the target folder has no parent")?.join("heapcheck-bench");
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let verbose = said(Command::new("rustc").arg("-vV"))?;
        let triple =
            verbose.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
        let sysroot = said(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(House {
            root,
            folder,
            triple: triple.to_owned(),
            sysroot: sysroot.trim().into(),
            rustc: verbose.lines().next().unwrap_or("rustc").to_owned(),
            built: RefCell::default(),
        })
    }

    /// Builds all programs in one variant, once.
    pub(crate) fn build_programs(&self, profile: Profile, linked: Linked) -> Result<(), String> {
        if self.built.borrow().contains(&(profile, linked)) {
            return Ok(());
        }
        let folder = self.variant_folder(linked);
        eprintln!("peers: building the programs, {profile:?}, linked: {linked:?}");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--locked", "--quiet", "--bins", "--target", &self.triple, "--target-dir"])
            .arg(&folder)
            .arg("--manifest-path")
            .arg(self.root.join("tests/benches/programs/Cargo.toml"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags(linked)?.join("\x1f"))
            .env_remove("RUSTFLAGS");
        if profile == Profile::Release {
            cargo.arg("--release");
        }
        match linked {
            Linked::Counter => _ = cargo.args(["--features", "count"]),
            Linked::Dhat => _ = cargo.args(["--features", "dhat"]),
            Linked::Nothing | Linked::ClangLsan | Linked::RustcLsan => {}
        }
        said(&mut cargo)?;
        self.built.borrow_mut().push((profile, linked));
        Ok(())
    }

    pub(crate) fn programs_folder(&self, profile: Profile, linked: Linked) -> PathBuf {
        let profile = if profile == Profile::Release { "release" } else { "debug" };
        self.variant_folder(linked).join(&self.triple).join(profile)
    }

    fn variant_folder(&self, linked: Linked) -> PathBuf {
        self.folder.join(match linked {
            Linked::Nothing => "plain",
            Linked::ClangLsan => "clang-lsan",
            Linked::RustcLsan => "rustc-lsan",
            Linked::Dhat => "dhat",
            Linked::Counter => "counter",
        })
    }

    /// Frame pointers everywhere: both LeakSanitizers need them, and all peers get the same code.
    fn rustflags(&self, linked: Linked) -> Result<Vec<String>, String> {
        let mut flags = vec!["-Cforce-frame-pointers=yes".to_owned()];
        let mut link = |arg: &str| flags.push(format!("-Clink-arg={arg}"));
        match linked {
            Linked::Nothing | Linked::Dhat | Linked::Counter => {}
            Linked::ClangLsan => {
                link("-fsanitize=leak");
                flags.push("-Clinker=clang".into());
            }
            Linked::RustcLsan => {
                let lib = self.sysroot.join("lib/rustlib").join(&self.triple).join("lib");
                let archive = lib.join("librustc-stable_rt.lsan.a");
                if !archive.exists() {
                    return Err(format!("the toolchain has no {}", archive.display()));
                }
                link("-Wl,--whole-archive");
                link(archive.to_str().ok_or("the sysroot's path is not UTF-8")?);
                link("-Wl,--no-whole-archive");
                link("-lm");
                link("-Wl,--export-dynamic");
            }
        }
        Ok(flags)
    }

    /// The injected object: the one named by the environment, else built as the tool builds it.
    pub(crate) fn build_runtime(&self) -> Result<PathBuf, String> {
        if let Some(given) = std::env::var_os("HEAPCHECK_BENCH_RUNTIME") {
            let given = PathBuf::from(given);
            return if given.exists() { Ok(given) } else { Err(format!("there is no {}", given.display())) };
        }
        eprintln!("peers: building the runtime");
        Form::Preloaded.make("rustc".as_ref(), &self.root.join("heapcheck-rt/src"), &self.folder, &[])
    }

    /// Where a child's stderr goes.
    pub(crate) fn stderr_file(&self) -> PathBuf {
        self.folder.join("stderr.txt")
    }

    /// The folder for what a checked program writes.
    pub(crate) fn out_folder(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// Removes what lies in a folder of the bench; the folder is there afterwards.
    pub(crate) fn empty_folder(&self, folder: &Path) {
        let _ = fs::remove_dir_all(folder);
        let _ = fs::create_dir_all(folder);
    }

    pub(crate) fn save_results(&self, results: &str) -> Result<(), String> {
        let file = self.folder.join("results.md");
        fs::write(&file, results).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        eprintln!("peers: the results are in {}", file.display());
        Ok(())
    }

    /// Replaces what stands between the two markers of the README by what `renew` makes of it.
    pub(crate) fn replace_in_readme(&self, renew: impl FnOnce(&str) -> Option<String>) -> Result<(), String> {
        let file = self.root.join("README.md");
        let text =
            fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let text = between_markers(&text, renew)
            .ok_or_else(|| format!("{} lacks {README_BEGIN}, {README_END} or a table", file.display()))?;
        fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
    }
}

fn between_markers(text: &str, renew: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let (before, rest) = text.split_once(README_BEGIN)?;
    let (old, after) = rest.split_once(README_END)?;
    Some(format!("{before}{README_BEGIN}\n{}\n{README_END}{after}", renew(old.trim_start())?))
}

/// Runs a tool and gives what it says; the error is the end of what it complains about.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{name} failed ({}): {}", output.status, last_lines(&complaint, 12)))
}

/// The last lines of a text, where the cause usually stands.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
