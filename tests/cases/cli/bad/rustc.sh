#!/bin/sh
# A compiler that says who it is and compiles nothing.
case "$1" in
-vV) echo "rustc 1.0.0"; echo "host: x86_64-unknown-linux-gnu" ;;
*) echo "error: edition 2024 is unknown" >&2; exit 1 ;;
esac
