"""Who may speak to the management port: it asks for no password, so web pages must not reach it through a browser.

A page of a stranger can have its own name resolve to this machine (DNS rebinding), or simply send requests across.
The first shows in the Host header, the second in Origin.
"""

import ipaddress
from collections.abc import Container
from typing import Any

from fastapi.responses import PlainTextResponse

_REFUSED = (
    "The simulator's management port answers to its address, to localhost and to names given with --allow-name only.\n"
)


class Guard:
    """An application that refuses requests for other names, or from web pages of other places, with a 403."""

    def __init__(self, app: Any, names: Container[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin-1").lower() for name, value in scope.get("headers", [])}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        is_own_page = origin is None or origin in (f"http://{host}", f"https://{host}")
        if scope["type"] == "http" and not (is_own_page and self._is_ours(host)):
            await PlainTextResponse(_REFUSED, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        """Whether the host is an address, which cannot be rebound, or one of our names."""
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost" or name in self._names
        return True
