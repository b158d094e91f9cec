"""Makes the people and conversations that the benchmark talks about."""

import os

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction

from chat.models import Conversation

BATCH = 500


def number(name):
    """A number of the environment; nothing is zero."""
    return int(os.environ.get(name) or 0)


class Command(BaseCommand):
    """Users 1 to N; conversation i + 1 of pair i; after them one of the first users."""

    help = "Makes users and conversations as BENCH_USERS, BENCH_PAIRS and BENCH_ROOM say."

    @transaction.atomic
    def handle(self, *args, **options):
        pairs, room = number("BENCH_PAIRS"), number("BENCH_ROOM")
        people = max(number("BENCH_USERS"), 2 * pairs, room)
        users = (User(id=i, username=str(i), password="!") for i in range(1, people + 1))
        User.objects.bulk_create(users, batch_size=BATCH)
        conversations = pairs + (1 if room else 0)
        rows = (Conversation(id=i) for i in range(1, conversations + 1))
        Conversation.objects.bulk_create(rows, batch_size=BATCH)
        members = [(i // 2 + 1, i + 1) for i in range(2 * pairs)]
        members += [(pairs + 1, i + 1) for i in range(room)]
        through = Conversation.participants.through
        rows = (through(conversation_id=place, user_id=person) for place, person in members)
        through.objects.bulk_create(rows, batch_size=BATCH)
