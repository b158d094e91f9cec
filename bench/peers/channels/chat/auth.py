"""Who connects: a JSON Web Token in the address or in the Authorization header."""

from urllib.parse import parse_qs

import jwt
from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User


def token_of(scope):
    """The token, or nothing."""
    query = parse_qs(scope["query_string"].decode())
    if "token" in query:
        return query["token"][0]
    for name, value in scope["headers"]:
        if name == b"authorization" and value.startswith(b"Bearer "):
            return value.removeprefix(b"Bearer ").decode()
    return None


@database_sync_to_async
def user_of(token):
    """The user whose token this is, if it is a good one."""
    try:
        claims = jwt.decode(
            token, settings.SECRET_KEY, algorithms=["HS256"], options={"require": ["exp", "sub"]}
        )
        return User.objects.get(id=claims["sub"])
    except (jwt.InvalidTokenError, User.DoesNotExist, ValueError):
        return AnonymousUser()


class TokenAuth(BaseMiddleware):
    """Puts the user into the scope, as Django's own session middleware would."""

    async def __call__(self, scope, receive, send):
        scope["user"] = await user_of(token_of(scope))
        return await super().__call__(scope, receive, send)
