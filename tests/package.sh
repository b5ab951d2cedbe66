#!/bin/sh
# Packs the crates as they would be published, installs the tool from what was packed, and checks a stranger's project
# with it: without a network, outside of this repository.
#
#   tests/package.sh [FOLDER]
#
# The dependencies must be there, as they are after `cargo test`. FOLDER keeps the builds (default: target/package-check).
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
kept=${1:-${CARGO_TARGET_DIR:-$repository/target}/package-check}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_NET_OFFLINE=true
unset CARGO_TARGET_DIR HEAPCHECK HEAPCHECK_RT || true

# A namespace without a network, where that is allowed.
alone=
if unshare -n true 2>/dev/null; then alone="unshare -n"; fi

cd "$repository"
rm -rf "$kept/package"
$alone cargo package -q --workspace --exclude heapcheck-tests --offline --no-verify --allow-dirty --target-dir "$kept"
for crate in "$kept"/package/*.crate; do tar xzf "$crate" -C "$scratch"; done

# Nothing of them is published: each is told where the others lie.
{
    echo '[patch.crates-io]'
    for name in heapcheck-rt heapcheck-linked heapcheck-macros; do
        echo "$name = { path = '$(echo "$scratch/$name"-[0-9]*)' }"
    done
} > "$scratch/unpublished.toml"

# The project of somebody else: one leak, and one doctest that is clean.
mkdir -p "$scratch/theirs/src"
cat > "$scratch/theirs/Cargo.toml" <<'end'
[package]
name = "theirs"
version = "0.0.0"
edition = "2024"
[workspace]
end
cat > "$scratch/theirs/src/lib.rs" <<'end'
/// ```
/// assert_eq!(theirs::two(), 2);
/// ```
pub fn two() -> usize {
    2
}

#[test]
fn leaks() {
    std::mem::forget(std::hint::black_box(vec![1u8; 8001]));
}
end

# Another one, whose tests link the runtime in.
mkdir -p "$scratch/plain/src"
cat > "$scratch/plain/Cargo.toml" <<'end'
[package]
name = "plain"
version = "0.0.0"
edition = "2024"
[dev-dependencies]
heapcheck-rt = { version = "0.1", features = ["standalone"] }
[workspace]
end
cat > "$scratch/plain/src/lib.rs" <<'end'
#[cfg(test)]
heapcheck_rt::standalone!();

#[heapcheck_rt::heapcheck]
#[test]
fn leaks() {
    std::mem::forget(std::hint::black_box(vec![1u8; 8001]));
}

#[heapcheck_rt::heapcheck]
#[test]
fn is_clean() {
    assert_eq!(std::hint::black_box(vec![1u8; 8001]).len(), 8001);
}
end

# Installs the tool from a folder, which is called so, with these flags, and runs it in that project.
check() {
    from=$1 called=$2 root=$scratch/root
    shift 2
    rm -rf "$root" "$scratch/theirs/target"
    $alone cargo install -q --debug --offline --path "$from" --root "$root" --target-dir "$kept/build" "$@" \
        2>"$scratch/said" || { cat "$scratch/said" >&2; exit 1; }
    code=0
    (cd "$scratch/theirs" && PATH="$root/bin:$PATH" $alone cargo heapcheck test --no-fail-fast) \
        >"$scratch/said" 2>&1 || code=$?
    if [ "$code" != 23 ] || ! grep -q '`leaks` leaked 8,001 bytes in 1 block' "$scratch/said" \
        || ! grep -q '2 tests checked: 1 clean, 1 leaked' "$scratch/said"; then
        cat "$scratch/said" >&2
        echo "error: the tool that was installed from $called ended with $code" >&2
        exit 1
    fi
    echo "installed from $called: finds the leak of a stranger's project"
}

check "$(echo "$scratch"/cargo-heapcheck-[0-9]*)" "what was packed" --config "$scratch/unpublished.toml"
check "$repository/cargo-heapcheck" "the repository" --locked

# Without the tool. Files and lines need debug information.
code=0
(cd "$scratch/plain" && CARGO_PROFILE_DEV_DEBUG=1 TMPDIR=$scratch \
    $alone cargo test -q --offline --lib --config "$scratch/unpublished.toml" --target-dir "$kept/plain") \
    >"$scratch/said" 2>&1 || code=$?
if [ "$code" != 101 ] || ! grep -q 'this test fails: it leaked 8001 bytes in 1 block' "$scratch/said" \
    || ! grep -q -e '--> src/lib.rs:7' "$scratch/said" \
    || ! grep -q 'test result: FAILED. 1 passed; 1 failed' "$scratch/said"; then
    cat "$scratch/said" >&2
    echo "error: plain cargo test with what was packed ended with $code" >&2
    exit 1
fi
echo "plain cargo test with what was packed: finds and explains the leak of a test that links the runtime in"
