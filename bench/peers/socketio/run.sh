#!/usr/bin/env bash
# Serves on 127.0.0.1:$PORT in the foreground.
#
# STORE       none (default) or sqlite
# SYNCHRONOUS of SQLite: FULL (default) or NORMAL
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/socketio
[ -d "$here/node_modules" ] || fail "not installed: run $here/setup.sh"
: "${PORT:?}" "${BENCH_SECRET:?}"
make_state socketio
raise_limits
export STORE_FILE=$state/chat.db NODE_ENV=production
exec node "$here/server.mjs"
