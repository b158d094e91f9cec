#!/usr/bin/env bash
# Builds target/release/parlour, with the inbox in it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
need_rust
need_node
npm_packages
build_inbox
say "Building the server"
cargo build --release --locked -p parlour-server
echo "$(target_dir)/release/parlour"
