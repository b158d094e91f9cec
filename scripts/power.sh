#!/usr/bin/env bash
# Power cuts, made up from a trace of what the real server does to its files: nothing that was told may be lost.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
cargo build --locked -p parlour-server -p parlour-harness --bins
PARLOUR_BIN=${PARLOUR_BIN:-$(target_dir)/debug/parlour}
export PARLOUR_BIN=$(realpath "$PARLOUR_BIN")
exec "$(target_dir)/debug/parlour-power" --cuts "${CUTS:-500}" ${SEED:+--seed "$SEED"}
