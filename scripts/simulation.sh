#!/usr/bin/env bash
# Runs the real server in a simulated network, seed after seed; a seed that fails is printed with the way to replay it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
cargo build --locked --release -p parlour-simulation --bin parlour-simulation
if [[ -n ${SEED:-} ]]; then seeds=(--seed "$SEED"); else seeds=(--from "${FROM:-1}" --seeds "${SEEDS:-50}"); fi
exec "$(target_dir)/release/parlour-simulation" "${seeds[@]}" --minutes "${MINUTES:-30}" ${PROCESSES:+--processes "$PROCESSES"} ${TEXT:+--text}
