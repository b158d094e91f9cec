"""Settings as for production: no debugging, nothing installed that a chat does not use, database connections kept."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ["BENCH_SECRET"]
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING_CONFIG = None

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "channels",
    "chat",
]


def sqlite(path):
    """A file with a write-ahead log, flushed at each commit unless SYNCHRONOUS says otherwise."""
    synchronous = os.environ.get("SYNCHRONOUS", "FULL")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA cache_size=-16000;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }


def postgres(url):
    """A PostgreSQL database, durable as the server is set up."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": url.port or 5432,
    }


def database(address):
    """Where messages are stored: `sqlite:///path` or `postgres://user@host:port/name`."""
    url = urlsplit(address)
    settings = sqlite(unquote(url.path)) if url.scheme == "sqlite" else postgres(url)
    # Without this a connection is opened anew for each message.
    return settings | {"CONN_MAX_AGE": None}


DATABASES = {"default": database(os.environ["DATABASE_URL"])}


def layer(name):
    """How consumers reach each other. Beyond `capacity` waiting messages a layer drops new ones without a word."""
    capacity = int(os.environ.get("CAPACITY", "10000"))
    if name == "memory":
        return {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": capacity}}
    backends = {
        "redis": "channels_redis.core.RedisChannelLayer",
        "redis-pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    }
    return {
        "BACKEND": backends[name],
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]], "capacity": capacity},
    }


CHANNEL_LAYERS = {"default": layer(os.environ.get("LAYER", "memory"))}
