#!/usr/bin/env bash
# Builds what is needed and starts a demo: people, conversations, everything in ./data.
#
#   PARLOUR_LISTEN=127.0.0.1:9000 scripts/run.sh     another address
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
need_node
npm_packages
build_inbox
say "Building the server"
cargo build --profile demo --locked -p parlour-server

export PARLOUR_LISTEN=${PARLOUR_LISTEN:-127.0.0.1:8000}
export DATABASE_URL=${DATABASE_URL:-sqlite://data/parlour.db}
mkdir -p data
say "Starting. The data is in ./data; Ctrl-C ends it."
exec "$(target_dir)/demo/parlour" serve --demo
