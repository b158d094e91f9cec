#!/usr/bin/env bash
# Measures Parlour beside the floors and the other servers, and writes docs/benchmarks. With `full` it installs the other servers that are
# missing and measures everything, Parlour and the floors three times. Other arguments go to parlour-bench: scripts/bench.sh --targets parlour-native --scenarios idle
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
out=${OUT:-docs/benchmarks}
form=(--short)
if [ "${1:-}" = full ]; then
  shift
  form=()
  for setup in bench/peers/*/setup.sh; do
    say "Installing $(basename "$(dirname "$setup")")"
    "$setup" || echo "It is left out."
  done
fi

say "Building"
cargo build --release --locked -p parlour-server -p parlour-floors -p parlour-bench --bins
programs=$(realpath "$(target_dir)")/release
for folder in channels nchan socketio sockudo; do
  if [ ! -d "bench/peers/$folder/.installed" ] && [ ! -d "bench/peers/$folder/node_modules" ]; then
    echo "bench/peers/$folder is not installed, and left out: bench/peers/$folder/setup.sh installs it."
  fi
done

# What the figures must be read with.
about() {
  local model memory
  model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
  memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
  echo "Measured on $(date -u +%F) at commit $(git describe --always --dirty), on $(nproc) cores (${model:-unknown}) with $memory, Linux $(uname -r | cut -d - -f 1)."
  echo "The target had core 0, the generator core 1."
  echo
  echo "Built with $(rustc --version | cut -d ' ' -f 1-2), optimised as for a release. Versions and settings of the other servers are in [their list](../../bench/peers/README.md);"
  echo "they ran on $(version node --version), $(version bench/peers/channels/.installed/bin/python --version),"
  echo "$(version redis-server --version | sed 's/^\(Redis\|Valkey\) server v=\([^ ]*\).*/\1 \2/') and $(version psql --version | sed 's/psql (PostgreSQL) \([^ ]*\).*/PostgreSQL \1/')."
}

# The first line of what a program says of itself.
version() { { "$@" 2>/dev/null || echo "no $(basename "$1")"; } | head -n 1; }

mkdir -p "$out"
# Asked before the file is opened, which alters the checkout.
told=$(about)
echo "$told" >"$out/about.md"
# A connection needs a file descriptor on both sides.
ulimit -n "$(ulimit -H -n)"
exec "$programs/parlour-bench" "${form[@]}" --out "$out" "$@"
