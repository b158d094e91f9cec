#!/usr/bin/env bash
# Serves the project on 127.0.0.1:$PORT in the foreground, by the ASGI server that is named: daphne or uvicorn.
#
# LAYER        memory (default), redis or redis-pubsub
# REDIS_URL    for the last two; without it a Redis is started that belongs to the peer
# DATABASE_URL sqlite (default), postgres (one is started that belongs to the peer), or a whole address
# CAPACITY     how many messages the layer keeps for one that does not read; its own default is 100
# SYNCHRONOUS  of SQLite: FULL (default) or NORMAL
# shellcheck source=bench/peers/common.sh
source "$(dirname "$0")/../common.sh"
server=$1
here=$peers/channels
programs=$here/.installed/bin
[ -x "$programs/python" ] || fail "not installed: run $here/setup.sh"
: "${PORT:?}" "${BENCH_SECRET:?}"

make_state "channels-$server"
raise_limits
export LAYER=${LAYER:-memory} DATABASE_URL=${DATABASE_URL:-sqlite} DJANGO_SETTINGS_MODULE=project.settings
case $LAYER in redis*) [ -n "${REDIS_URL:-}" ] || start_redis ;; esac
case $DATABASE_URL in
  sqlite) DATABASE_URL=sqlite://$state/chat.db ;;
  postgres) start_postgres ;;
esac

cd "$here"
"$programs/python" manage.py migrate --verbosity 0
"$programs/python" manage.py fill
case $server in
  daphne)
    # Below verbosity 1 it writes no access log. Of itself it gives up connections that are not accepted within 5 s.
    exec "$programs/daphne" -v 0 --websocket_connect_timeout 60 -b 127.0.0.1 -p "$PORT" project.asgi:application
    ;;
  uvicorn)
    exec "$programs/uvicorn" project.asgi:application --host 127.0.0.1 --port "$PORT" --workers 1 \
      --loop uvloop --http httptools --ws auto --ws-per-message-deflate false --backlog 4096 \
      --lifespan off --no-access-log --log-level warning --timeout-graceful-shutdown 1
    ;;
  *) fail "unknown server $server" ;;
esac
