#!/usr/bin/env bash
# The conformance kit: existing clients, as robots and in the flesh, against the debug build of the server.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_node

if [ -z "${PARLOUR_BIN:-}" ]; then
  need_rust
  say "Building the server"
  cargo build --locked -p parlour-server --bin parlour
  case $(target_dir) in
    /*) PARLOUR_BIN=$(target_dir)/debug/parlour ;;
    *) PARLOUR_BIN=$PWD/$(target_dir)/debug/parlour ;;
  esac
  export PARLOUR_BIN
fi

cd tests/clients
if [ ! -f node_modules/.parlour-installed ] || [ package-lock.json -nt node_modules/.parlour-installed ]; then
  say "Installing npm packages"
  npm ci --no-audit --no-fund
  touch node_modules/.parlour-installed
fi

say "Clients"
for package in pusher-js laravel-echo pusher wscat ws react swr; do
  echo "$package $(node -p "require('./node_modules/$package/package.json').version") (npm)"
done
sed 's/==/ /; s/$/ (PyPI)/' python/requirements.txt
echo "Node.js $(node --version | tr -d v)"

npm run --silent check
npm test --silent -- "$@"
