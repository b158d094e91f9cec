#!/usr/bin/env bash
# Serves on 127.0.0.1:$PORT in the foreground; config.toml beside this has the settings.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/sockudo
[ -x "$here/.installed/bin/sockudo" ] || fail "not installed: run $here/setup.sh"
: "${PORT:?}"
make_state sockudo
raise_limits
# It would take other settings from these.
unset REDIS_URL DATABASE_URL
cd "$state"
# Of itself it logs every subscription.
HOST=127.0.0.1 RUST_LOG=error exec "$here/.installed/bin/sockudo" --config "$here/config.toml"
