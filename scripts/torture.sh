#!/usr/bin/env bash
# Breaks processes, databases, buses and links under load by a seeded plan, heals them, and checks that nothing is lost.
#
#   scripts/torture.sh                                  three processes on PostgreSQL and Redis, 3 minutes
#   SEED=7 MINUTES=10 PROCESSES=1 STORE=sqlite FAULTS=kill,client scripts/torture.sh
#   scripts/torture.sh kills|storm|slow-readers|throughput [--...]     one table of figures, with release builds
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
what=${1:-run}
[ $# -eq 0 ] || shift
profile=debug
flags=()
if [ "$what" != run ]; then
  profile=release
  flags=(--release)
  # A connection needs a file descriptor on both sides.
  ulimit -n "$(ulimit -H -n)"
fi
cargo build --locked "${flags[@]}" -p parlour-server -p parlour-torture --bins
PARLOUR_BIN=${PARLOUR_BIN:-$(target_dir)/$profile/parlour}
export PARLOUR_BIN=$(realpath "$PARLOUR_BIN")
program=$(realpath "$(target_dir)/$profile/parlour-torture")

arguments=("$what" "$@")
if [ "$what" = run ]; then
  store=${STORE:-postgres}
  seconds=$((${MINUTES:-3} * 60))
  arguments+=(--store "$store" --processes "${PROCESSES:-3}" --seconds "$seconds" ${SEED:+--seed "$SEED"} ${FAULTS:+--faults "$FAULTS"})
  # A small disk to be filled needs the right to mount one: a name space of one's own gives it.
  if [ "$store" = sqlite ] && [ "$(id -u)" -ne 0 ] && unshare -Urm true 2>/dev/null; then
    exec unshare -Urm "$program" "${arguments[@]}"
  fi
fi
exec "$program" "${arguments[@]}"
