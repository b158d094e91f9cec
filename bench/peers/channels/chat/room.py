"""One socket for each conversation, whose sockets are a group."""

import json

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from .models import Conversation, ConversationMessage


class RoomConsumer(AsyncWebsocketConsumer):
    """A socket of one participant of one conversation."""

    async def connect(self):
        self.user = self.scope["user"]
        self.conversation_id = self.scope["url_route"]["kwargs"]["conversation_id"]
        self.group = None
        if not self.user.is_authenticated or not await self.is_participant():
            await self.close()
            return
        self.group = f"conversation_{self.conversation_id}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        frame = json.loads(text_data)
        if frame["type"] == "chat_message":
            await self.say(frame["content"], frame.get("client_id"))
        elif frame["type"] == "typing_indicator":
            await self.tell_typing(bool(frame["is_typing"]))

    async def say(self, content, client_id):
        """Stores a message, then gives it to everybody in the conversation, the sender too."""
        message = await self.save(content)
        event = {"type": "chat.message", "message": message | {"client_id": client_id}}
        await self.channel_layer.group_send(self.group, event)

    async def tell_typing(self, is_typing):
        """Tells the others that this person types. Nothing is stored."""
        event = {
            "type": "chat.typing",
            "user_id": self.user.id,
            "username": self.user.username,
            "is_typing": is_typing,
        }
        await self.channel_layer.group_send(self.group, event)

    @database_sync_to_async
    def is_participant(self):
        """Whether this person is in the conversation."""
        conversations = Conversation.objects.filter(id=self.conversation_id)
        return conversations.filter(participants=self.user).exists()

    @database_sync_to_async
    def save(self, content):
        """The stored message as it is told."""
        message = ConversationMessage.objects.create(
            conversation_id=self.conversation_id, sender=self.user, content=content
        )
        created_at = message.created_at.isoformat()
        return {
            "message_id": message.id,
            "conversation_id": self.conversation_id,
            "sender_id": self.user.id,
            "sender_name": self.user.username,
            "content": message.content,
            "attachments": [],
            "created_at": created_at,
            "timestamp": created_at,
            "is_edited": message.is_edited,
            "read_by": [],
        }

    async def chat_message(self, event):
        await self.send(json.dumps({"type": "chat_message"} | event["message"]))

    async def chat_typing(self, event):
        if event["user_id"] != self.user.id:
            await self.send(json.dumps(event | {"type": "typing_indicator"}))
