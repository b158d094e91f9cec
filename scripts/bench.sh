#!/usr/bin/env bash
# Speed of sends with and without group commit, memory of idle connections in several dialects, reconnection. Arguments go to
# parlour-load: scripts/bench.sh --pairs 100 --seconds 10 --crowd 5000 --json figures.json
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
cargo build --release --locked -p parlour-server -p parlour-harness --bins
PARLOUR_BIN=${PARLOUR_BIN:-$(target_dir)/release/parlour}
export PARLOUR_BIN=$(realpath "$PARLOUR_BIN")
# A connection needs a file descriptor on both sides.
ulimit -n "$(ulimit -H -n)"
exec "$(target_dir)/release/parlour-load" "$@"
