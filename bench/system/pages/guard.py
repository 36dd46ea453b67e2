"""A token before an application: on a machine with several users every one of them reaches 127.0.0.1."""

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

TOKEN = "SPARSEBENCH_UI_TOKEN"
REFUSAL = b"This server asks for a token: open the address that `sparsebench ui` has printed, as a whole.\n"

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Guard:
    """An ASGI application that answers those who know a token, and passes their requests on.

    The token is accepted in the query (`?token=…`), which sets a cookie for what follows, in the cookie, and
    as `Authorization: Bearer …`, which MLflow's clients send where MLFLOW_TRACKING_TOKEN is set. The cookie
    alone does not answer the pages of other servers: a browser sends it for those of another port too.

    Args:
        app: The application behind it.
        token: The token.
        cookie: The cookie's name. Browsers send cookies to every port of a host: two servers have two names.

    Example:
        >>> import asyncio
        >>> said = []
        >>> async def send(message): said.append(message.get("status"))
        >>> scope = {"type": "http", "path": "/", "query_string": b"token=wrong", "headers": []}
        >>> asyncio.run(Guard(app=None, token="right", cookie="ui-5000")(scope, None, send))
        >>> said[0]
        401
    """

    def __init__(self, app: App, token: str, cookie: str) -> None:
        self.app, self.token, self.cookie = app, token, cookie

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answers one request of the ASGI protocol."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] == "/health"):
            await self.app(scope, receive, send)
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if self._known(given):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            await self.app({**scope, "query_string": rest.encode()}, receive, self._remembering(send))
        elif self._known(self._sent(scope)):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 401, "headers": plain})
            await send({"type": "http.response.body", "body": REFUSAL})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _known(self, found: list[str]) -> bool:
        return any(hmac.compare_digest(text.encode(), self.token.encode()) for text in found)

    def _sent(self, scope: Message) -> list[str]:
        """Returns the tokens in a request's headers; a cookie's only for the server's own pages."""
        found = []
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        own = headers.get(b"origin") in (None, f"http://{headers.get(b'host')}")
        for name, value in headers.items():
            if name == b"authorization" and value[:7].lower() == "bearer ":
                found.append(value[7:].strip())
            if name == b"cookie" and own:
                cookies: SimpleCookie = SimpleCookie()
                try:
                    cookies.load(value)
                except CookieError:
                    continue
                if self.cookie in cookies:
                    found.append(cookies[self.cookie].value)
        return found

    def _remembering(
        self, send: Callable[[Message], Awaitable[None]]
    ) -> Callable[[Message], Awaitable[None]]:
        """Returns a `send` that adds the cookie to the answer."""
        words = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax".encode()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(b"set-cookie", words), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        return sending


def serve_guarded(app: App, host: str, port: int) -> None:
    """Serves an application until a signal, to those who know the token that SPARSEBENCH_UI_TOKEN holds.

    Args:
        app: The ASGI application.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        KeyError: There is no token: nothing is served without one.

    Example:
        >>> serve_guarded(None, "127.0.0.1", 0)
        Traceback (most recent call last):
        KeyError: 'SPARSEBENCH_UI_TOKEN'
    """
    token = os.environ.pop(TOKEN)
    import uvicorn

    guarded: Any = Guard(app, token, f"sparsebench-ui-{port}")
    uvicorn.run(guarded, host=host, port=port, log_level="warning", access_log=False, ws="none")
