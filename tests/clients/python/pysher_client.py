"""Pysher, a Pusher client of PyPI: subscribes, prints what arrives, one JSON line an event; ends when its input does."""

import json
import logging
import os
import sys

import pysher


def told(event, data):
    print(json.dumps({"event": event, "data": data}), flush=True)


def main():
    options = {"auth_endpoint": os.environ.get("AUTH_ENDPOINT")} if "AUTH_ENDPOINT" in os.environ else {
        "secret": os.environ["APP_SECRET"],
        "user_data": {"user_id": "python", "user_info": {"name": "Pysher"}},
    }
    if "TOKEN" in os.environ:
        options["auth_endpoint_headers"] = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    client = pysher.Pusher(
        os.environ["APP_KEY"],
        secure=False,
        custom_host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level=logging.ERROR,
        auto_sub=True,
        reconnect_interval=1,
        **options,
    )

    def subscribe(data):
        told("connected", data)
        for name in sys.argv[1:]:
            channel = client.subscribe(name)
            for event in ("pusher_internal:subscription_succeeded", "python", "MessageSentEvent", "client-wave"):
                channel.bind(event, lambda data, event=event: told(event, data))

    client.connection.bind("pusher:connection_established", subscribe)
    client.connection.bind("pusher:error", lambda data: told("error", data))
    client.connect()
    for line in sys.stdin:
        if line.strip() == "wave":
            client.channel(sys.argv[-1]).trigger("client-wave", {"hand": "left"})
    client.disconnect()


main()
