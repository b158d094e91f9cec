"""The `websockets` example of an inbox client, with a token added to its address: connect, send, read two answers."""

import asyncio
import json
import sys

import websockets


async def main(uri):
    async with websockets.connect(uri) as websocket:
        print(await websocket.recv(), flush=True)
        message = {"type": "chat_message", "conversation_id": 1, "receiver_id": 2, "text": "Hello from Python!"}
        await websocket.send(json.dumps(message))
        while True:
            answer = await websocket.recv()
            # Who is online is told in between.
            if json.loads(answer)["type"] != "user_status":
                print(answer, flush=True)
                return


try:
    asyncio.run(main(sys.argv[1]))
except websockets.exceptions.InvalidStatus as refused:
    print(json.dumps({"refused": refused.response.status_code}), flush=True)
