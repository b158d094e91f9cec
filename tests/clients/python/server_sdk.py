"""The `pusher` server SDK of PyPI: does each call once and prints what it got, one JSON line a call."""

import json
import os
import sys

import pusher
from pusher.errors import PusherBadAuth, PusherBadRequest


def told(call, value):
    print(json.dumps({"call": call, "value": value}), flush=True)


def sdk(secret):
    return pusher.Pusher(
        app_id=os.environ["APP_ID"],
        key=os.environ["APP_KEY"],
        secret=secret,
        ssl=False,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        encryption_master_key_base64="BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    )


def main():
    channel = sys.argv[1]
    client = sdk(os.environ["APP_SECRET"])
    told("trigger", client.trigger(channel, "python", {"from": "python"}))
    told("trigger_many", client.trigger([channel, "python-other"], "python", {"from": "many"}))
    batch = [{"channel": channel, "name": "python", "data": {"n": n}} for n in range(3)]
    told("trigger_batch", client.trigger_batch(batch))
    told("channels_info", client.channels_info("presence-", ["user_count"]))
    told("channel_info", client.channel_info(channel, ["user_count"]))
    told("users_info", client.users_info(channel))
    told("authenticate", client.authenticate("private-x", "1234.1234"))
    told("trigger_encrypted", client.trigger("private-encrypted-python", "secret", {"a": 1}))
    try:
        sdk("not the secret").trigger(channel, "forged", {})
        told("bad secret", "accepted")
    except PusherBadAuth:
        told("bad secret", "PusherBadAuth")
    try:
        client.users_info("public-channel")
        told("users of a public channel", "accepted")
    except PusherBadRequest:
        told("users of a public channel", "PusherBadRequest")


main()
