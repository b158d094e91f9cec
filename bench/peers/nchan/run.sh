#!/usr/bin/env bash
# Serves on 127.0.0.1:$PORT in the foreground; nginx.conf.in beside this has the settings.
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
here=$peers/nchan
[ -x "$here/.installed/usr/sbin/nginx" ] || fail "not installed: run $here/setup.sh"
: "${PORT:?}"
make_state nchan
raise_limits
user=
# Workers do not stay root.
if [ "$(id -u)" -eq 0 ]; then user='user nobody nogroup;'; fi
sed -e "s|@MODULES@|$here/.installed/usr/lib/nginx/modules|" -e "s|@PORT@|$PORT|" -e "s|@USER@|$user|" \
  "$here/nginx.conf.in" >"$state/nginx.conf"
exec "$here/.installed/usr/sbin/nginx" -p "$state" -c "$state/nginx.conf" -e "$state/error.log" -g 'daemon off;'
