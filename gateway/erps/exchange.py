"""One exchange with an ERP: bytes out, bytes back, and every failure under its own name.

It knows no ERP. What an ERP answers is never repeated here: its errors carry whole tracebacks.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import httpx2

from gateway.connection import Connection
from gateway.errors import Misconfigured, Throttled, Unavailable, Unreached

RETRY_AFTER: Final = 30.0
"""Seconds to wait where an ERP does not say how long."""

MAX_RETRY_AFTER: Final = 3600.0


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


async def exchange(
    connection: Connection,
    client: httpx2.AsyncClient,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """The answer at `path` of the ERP, whatever its status, but for those that say to come again later: Throttled, or
    Unavailable, which leaves open what was done. Unreached: nothing was sent."""
    try:
        address = f"{connection.base_url.rstrip('/')}{path}"
        response = await client.request(method, address, content=body, headers=dict(headers or {}))
    except httpx2.InvalidURL:
        raise Misconfigured(
            f"The address of the {connection.platform} of connection {connection.id} is not a URL.",
            fix="Correct --url.",
        ) from None
    except httpx2.RequestError as error:
        raise _unreachable(connection, error) from None
    reply = Reply(response.status_code, response.content, response.headers)
    if reply.status == 429 or (reply.status == 503 and "Retry-After" in reply.headers):
        raise Throttled(f"{_name(connection)} asks to be left alone for a while.", retry_after=_retry_after(reply))
    if reply.status in (408, 502, 503, 504):
        raise Unavailable(f"{_name(connection)} answers HTTP {reply.status}.", retry_after=_retry_after(reply))
    if 300 <= reply.status < 400:
        raise Misconfigured(
            f"{_name(connection)} sends us elsewhere (HTTP {reply.status}).", fix="Give its final https address."
        )
    return reply


def _unreachable(connection: Connection, error: Exception) -> Unavailable:
    unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    kind = Unreached if unsent else Unavailable
    return kind(
        f"{_name(connection)} cannot be reached ({type(error).__name__}).",
        retry_after=RETRY_AFTER,
        ar=f"تعذر الاتصال بنظام ERP في الربط {connection.id}.",
    )


def _name(connection: Connection) -> str:
    return f"The {connection.platform} of connection {connection.id}"


def _retry_after(reply: Reply) -> float:
    said = reply.headers.get("Retry-After", "")
    return min(float(said), MAX_RETRY_AFTER) if re.fullmatch(r"\d{1,6}", said, re.ASCII) else RETRY_AFTER
