#!/usr/bin/env bash
# Every kind of client with every other (`talk`), or clients that go away and come back (`drop`), through the real binary.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
what=${1:-talk}
case $what in
  talk) number=${MESSAGES:-200} ;;
  drop) number=${SECONDS_AWAY:-30} ;;
  *) fail "usage: scripts/matrix.sh talk|drop" ;;
esac
cargo build --locked -p parlour-server -p parlour-harness --bins
PARLOUR_BIN=${PARLOUR_BIN:-$(target_dir)/debug/parlour}
export PARLOUR_BIN=$(realpath "$PARLOUR_BIN")
# Which kinds, in KINDS; without it, all.
# shellcheck disable=SC2086
exec "$(target_dir)/debug/parlour-matrix" "$what" "$number" ${KINDS:-}
