"""The application: sockets go to the chat, everything else to Django."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()

# Models can be imported only after Django is set up.
from chat.auth import TokenAuth  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({
    "http": http,
    "websocket": TokenAuth(URLRouter(websocket_urlpatterns)),
})
