"""Which path leads where."""

from django.urls import path

from .direct import DirectConsumer
from .room import RoomConsumer

websocket_urlpatterns = [
    path("ws/chat/", DirectConsumer.as_asgi()),
    path("ws/chat/<int:conversation_id>/", RoomConsumer.as_asgi()),
]
