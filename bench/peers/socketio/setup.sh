#!/usr/bin/env bash
# Installs Socket.IO and better-sqlite3 from npm.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/socketio
need npm "install Node.js 20 or newer"
if [ ! -f "$here/node_modules/.parlour-installed" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.parlour-installed" ]; then
  npm --prefix "$here" ci --no-audit --no-fund --loglevel error
  touch "$here/node_modules/.parlour-installed"
fi
