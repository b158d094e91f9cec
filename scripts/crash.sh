#!/usr/bin/env bash
# Kills the server under load again and again, and checks that nothing is lost, doubled or out of order.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
cargo build --locked -p parlour-server -p parlour-harness --bins
PARLOUR_BIN=${PARLOUR_BIN:-$(target_dir)/debug/parlour}
export PARLOUR_BIN=$(realpath "$PARLOUR_BIN")
exec "$(target_dir)/debug/parlour-crash" --crashes "${CRASHES:-20}" ${SEED:+--seed "$SEED"}
