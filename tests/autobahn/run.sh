#!/usr/bin/env bash
# Runs the Autobahn test suite against the echo example of crates/parlour-websocket, and against the server itself.
#
#   tests/autobahn/run.sh           groups 1 to 7, 9, 10, 12 and 13; some minutes
#   tests/autobahn/run.sh --short   groups 1 to 7 and 10; seconds
#
# The suite needs CPython 2.7: $PYTHON27, python2.7 on the path, or one that pyenv knows.
set -euo pipefail
cd "$(dirname "$0")/../.."

case "${1:-}" in
  "" | --short) ;;
  *) echo "usage: $0 [--short]" >&2; exit 2 ;;
esac

find_python() {
  local candidate version
  for candidate in "${PYTHON27:-}" python2.7; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null \
      && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  if command -v pyenv >/dev/null; then
    version=$(pyenv versions --bare | grep -E '^2\.7(\.|$)' | tail -n 1) || return 1
    PYENV_VERSION=$version pyenv which python
    return
  fi
  return 1
}

if ! python=$(find_python); then
  echo "SKIPPED: no Python 2.7" >&2
  exit 0
fi

work=${CARGO_TARGET_DIR:-target}/autobahn
site=$PWD/$work/site
report=$PWD/$work/report
if [ "${work#/}" != "$work" ]; then
  site=$work/site
  report=$work/report
fi
if [ ! -f "$site/.installed" ]; then
  rm -rf "$site"
  mkdir -p "$site"
  PIP_NO_PYTHON_VERSION_WARNING=1 "$python" -m pip install --quiet --disable-pip-version-check --no-compile \
    --target "$site" autobahntestsuite==25.10.1
  touch "$site/.installed"
fi
rm -rf "$report"
mkdir -p "$report"

# Runs the suite against a server whose address (and path) is given; the name is that of the report.
judge() {
  local name=$1 address=$2
  mkdir -p "$report/$name"
  echo "$name:"
  "$python" "$PWD/tests/autobahn/driver.py" "$site" "$report/$name" "$address" "${@:3}" \
    >"$report/$name/log" || { tail -n 40 "$report/$name/log"; return 1; }
  tail -n 1 "$report/$name/log"
}

short=${1:-}
servers=()
trap 'kill "${servers[@]:+${servers[@]}}" 2>/dev/null || true' EXIT
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# The codec alone.
cargo build --quiet --release -p parlour-websocket --example echo
mkfifo "$report/address"
"$target/release/examples/echo" --deflate --max-message-bytes 67108864 >"$report/address" &
servers+=($!)
# Its first line is its address; the read waits for it.
read -r address <"$report/address" || { echo "the echo server did not start" >&2; exit 1; }
judge codec "$address" ${short:+"$short"}

# The server's own accept loop, reader and queue, with limits that let the large cases through, and compression of everything.
cargo build --quiet --profile demo -p parlour-server --features conformance --bin parlour
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
env PARLOUR_LISTEN="127.0.0.1:$port" DATABASE_URL=sqlite::memory: PARLOUR_RATE_LIMITS=off \
  PARLOUR_JWT_SECRET=only-for-this-run-of-the-conformance-suite PARLOUR_LOG_LEVEL=warn \
  PARLOUR_LIMITS_FRAME_BYTES=67108864 PARLOUR_LIMITS_FRAGMENTS=4294967295 \
  PARLOUR_LIMITS_QUEUE_BYTES=134217728 PARLOUR_LIMITS_QUEUE_FRAMES=1000000 \
  PARLOUR_SERVER_COMPRESSION=on PARLOUR_SERVER_COMPRESSION_MIN_BYTES=1 \
  "$target/demo/parlour" serve &
servers+=($!)
for _ in $(seq 200); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.05
done
judge server "127.0.0.1:$port/echo" ${short:+"$short"}
