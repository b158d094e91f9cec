"""One socket a person; a message is addressed to a person, and each person's sockets are a group."""

import json

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User

from .models import Message


def group_of(user_id):
    """The name of a person's group."""
    return f"user_{user_id}"


class DirectConsumer(AsyncWebsocketConsumer):
    """A socket of one person."""

    async def connect(self):
        self.user = self.scope["user"]
        self.group = None
        if not self.user.is_authenticated:
            await self.close()
            return
        self.group = group_of(self.user.id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        frame = json.loads(text_data)
        if frame["type"] == "message":
            await self.say(int(frame["receiver"]), frame["content"], frame.get("client_id"))
        elif frame["type"] == "typing":
            await self.tell_typing(int(frame["receiver"]), bool(frame["is_typing"]))

    async def say(self, receiver_id, content, client_id):
        """Stores a message, then gives it to the receiver's sockets and back to this one."""
        message = await self.save(receiver_id, content)
        if message is None:
            await self.send(json.dumps({"type": "error", "code": "not_found", "client_id": client_id}))
            return
        event = {"type": "chat.message", "message": message}
        await self.channel_layer.group_send(group_of(receiver_id), event)
        if client_id is not None:
            message = message | {"client_id": client_id}
        await self.send(json.dumps({"type": "message", "message": message}))

    async def tell_typing(self, receiver_id, is_typing):
        """Tells somebody that this person types. Nothing is stored."""
        event = {"type": "chat.typing", "user_id": self.user.id, "is_typing": is_typing}
        await self.channel_layer.group_send(group_of(receiver_id), event)

    @database_sync_to_async
    def save(self, receiver_id, content):
        """The stored message as it is told, or nothing when there is no such receiver."""
        try:
            receiver = User.objects.get(id=receiver_id)
        except User.DoesNotExist:
            return None
        message = Message.objects.create(sender=self.user, receiver=receiver, content=content)
        return {
            "id": message.id,
            "sender": self.user.id,
            "sender_username": self.user.username,
            "receiver": receiver.id,
            "receiver_username": receiver.username,
            "content": message.content,
            "created_at": message.created_at.isoformat(),
            "is_read": message.is_read,
        }

    async def chat_message(self, event):
        await self.send(json.dumps({"type": "message", "message": event["message"]}))

    async def chat_typing(self, event):
        frame = {"type": "typing", "user_id": event["user_id"], "is_typing": event["is_typing"]}
        await self.send(json.dumps(frame))
