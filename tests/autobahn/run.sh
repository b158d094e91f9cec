#!/usr/bin/env bash
# Runs the Autobahn test suite against the echo example of crates/parlour-websocket.
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

cargo build --quiet --release -p parlour-websocket --example echo
# The server's first line is its address; the read waits for it.
coproc SERVER {
  exec "${CARGO_TARGET_DIR:-target}/release/examples/echo" --deflate --max-message-bytes 67108864
}
server=$SERVER_PID
trap 'kill "$server" 2>/dev/null || true' EXIT
read -r address <&"${SERVER[0]}" || { echo "the echo server did not start" >&2; exit 1; }

"$python" "$PWD/tests/autobahn/driver.py" "$site" "$report" "$address" ${1:+"$1"} \
  >"$report/log" || { tail -n 40 "$report/log"; exit 1; }
tail -n 1 "$report/log"
