#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for a while.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
cargo fuzz --version >/dev/null 2>&1 || fail "cargo-fuzz is missing: cargo install cargo-fuzz"
for target in fuzz/fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  say "Fuzzing $name"
  cargo +nightly fuzz run "$name" -- -max_total_time="${SECONDS_EACH:-60}"
done
