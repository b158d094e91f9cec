"""What is stored: messages between two people, and those of conversations with their participants."""

from django.contrib.auth.models import User
from django.db import models


class Message(models.Model):
    """Something that one person says to another."""

    sender = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sent")
    receiver = models.ForeignKey(User, on_delete=models.CASCADE, related_name="received")
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    is_read = models.BooleanField(default=False)


class Conversation(models.Model):
    """Some people who talk."""

    participants = models.ManyToManyField(User, related_name="conversations")


class ConversationMessage(models.Model):
    """Something that is said to all of a conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    sender = models.ForeignKey(User, on_delete=models.CASCADE)
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    is_edited = models.BooleanField(default=False)
