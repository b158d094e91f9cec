#!/usr/bin/env bash
# Removes what was built and the demo's data; the npm packages stay.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
if command -v cargo >/dev/null; then
  cargo clean
fi
rm -rf data test-results js/apps/*/dist js/packages/*/dist
