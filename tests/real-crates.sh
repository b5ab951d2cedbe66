#!/bin/sh
# Runs the tests of real crates under heapcheck and prints a table: binaries, tests, leaks.
#
#   tests/real-crates.sh FOLDER [CRATE ..]
#
# Needs the registry. Builds into FOLDER, which may exist already. A leak in the table is either one of the crate, then it
# stands in the list below with its reason, or it is a bug of heapcheck. Ends with 1 when there is one that is not known.
set -eu

[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
repository=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- bytes smallvec once_cell slab thread_local arc-swap indexmap crossbeam-channel \
    crossbeam-queue hashbrown arrayvec either bumpalo lasso petgraph string-interner ropey rayon parking_lot dashmap \
    slotmap thin-vec triomphe tagptr erasable servo_arc lru ecow beef arcstr intrusive-collections bacon_rajan_cc \
    rusty-fork qp-trie concurrent-queue crossbeam-epoch crossbeam-deque generator

runtime=$folder/libheapcheck.so
rustc --edition 2024 --crate-name heapcheck --crate-type cdylib -Copt-level=3 -Cpanic=abort -Ccodegen-units=1 \
    -Cdebuginfo=1 --cfg heapcheck_injected "$repository/heapcheck-rt/src/rt.rs" -o "$runtime"

# One package that depends on all of them makes cargo put their sources into the registry's folder.
mkdir -p "$folder/wanted/src" "$folder/crates" "$folder/logs"
: > "$folder/wanted/src/lib.rs"
{
    printf '[package]\nname = "wanted"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n'
    for crate in "$@"; do printf '%s = "*"\n' "$crate"; done
} > "$folder/wanted/Cargo.toml"
cargo metadata --quiet --format-version 1 --manifest-path "$folder/wanted/Cargo.toml" > "$folder/metadata.json"
export CARGO_TARGET_DIR="$folder/target"

# What a run says: tests that passed, tests that failed, bytes that leaked.
summary() {
    passed=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$1" | head -1)
    failed=$(sed -n 's/^test result: .* \([0-9]*\) failed.*/\1/p' "$1" | head -1)
    leaked=$(sed -n 's/^heapcheck: leaked \([0-9,]* bytes in [0-9,]* blocks*\).*/\1/p' "$1" | head -1)
    echo "${passed:--} passed, ${failed:--} failed, ${leaked:-no leak}"
}

status=0
binaries=0
tests=0
for crate in "$@"; do
    source=$(tr ',' '\n' < "$folder/metadata.json" | sed -n "s|^\"manifest_path\":\"\(.*/$crate-[0-9][^/]*\)/Cargo.toml\"\$|\1|p" | head -1)
    [ -n "$source" ] || { echo "$crate: skipped: its source is not there"; continue; }
    copy=$folder/crates/$crate
    rm -rf "$copy"
    cp -r "$source" "$copy"
    # The toolchain is the reader's, not the one that the crate's authors develop with.
    rm -f "$copy/rust-toolchain" "$copy/rust-toolchain.toml"
    grep -q '^\[workspace\]' "$copy/Cargo.toml" || printf '\n[workspace]\n' >> "$copy/Cargo.toml"
    log=$folder/logs/$crate
    if ! (cd "$copy" && cargo test --no-run --lib --tests --no-fail-fast --message-format json) > "$log.json" 2> "$log.build"; then
        echo "$crate: some tests do not build: $(grep -m1 '^error' "$log.build" || true)"
    fi
    for binary in $(grep '"test":true' "$log.json" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | sort -u); do
        name=$(basename "$binary")
        name=${name%-*}
        if ! (cd "$copy" && timeout 120 "$binary") > "$log.$name.plain" 2>&1; then :; fi
        plain=$(summary "$log.$name.plain")
        binaries=$((binaries + 1))
        count=${plain%% *}
        case $count in *[!0-9]*) ;; *) tests=$((tests + count)) ;; esac
        for mode in normal strict; do
            run=$log.$name.$mode
            code=0
            (cd "$copy" && timeout 240 env TMPDIR="$folder" HEAPCHECK="$mode" LD_PRELOAD="$runtime" "$binary") > "$run" 2>&1 || code=$?
            checked=$(summary "$run")
            verdict=same
            [ "$checked" = "$plain" ] || { verdict=DIFFERS; status=1; }
            ! grep -q '^heapcheck: no verdict' "$run" || { verdict='NO VERDICT'; status=1; }
            printf '%-20s %-24s %-7s %-45s status %-4s %s\n' "$crate" "$name" "$mode" "$checked" "$code" "$verdict"
        done
    done
done
echo "$binaries test binaries with $tests tests, each in normal and in strict"
exit $status
