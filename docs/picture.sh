#!/usr/bin/env bash
# Makes docs/report.png anew: runs the example of the README, and takes a picture of its page in a headless browser.
set -euo pipefail
cd "$(dirname "$0")/.."
docs=$PWD/docs
cargo build -q -p cargo-heapcheck
tool=${CARGO_TARGET_DIR:-$PWD/target}/debug/cargo-heapcheck
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r examples/rc_cycle/. "$folder"
cd "$folder"
unset CARGO_TARGET_DIR
"$tool" heapcheck -q >run.log 2>&1 || [ $? = 23 ] || { cat run.log; exit 1; }
"$tool" heapcheck report --format html --output page.html || [ $? = 23 ]
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/browser" \
    --window-size=1200,900 --screenshot="$docs/report.png" "file://$folder/page.html#leak=0&theme=light" 2>browser.log \
    || { cat browser.log; exit 1; }
