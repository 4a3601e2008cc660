"""The way out to shops and ERPs, whose addresses taxpayers type in: only https, only public addresses.

A name is resolved once and the connection goes to that very address, so a name that answers differently a moment
later gains nothing; Host and TLS name stay the shop's own. No redirects, no proxies from the environment, limits on
time and size. It knows nothing of what is sent.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

import httpcore2
import httpx2

from gateway import __version__
from gateway.errors import BadInput, Unavailable
from gateway.settings import Settings

MAX_RESPONSE: Final = 5_000_000
"""Largest answer read, in bytes; an order of a thousand lines has about one million."""

TIMEOUT: Final = httpx2.Timeout(20.0, connect=10.0)
"""Seconds for each step of one exchange."""

MAX_SECONDS: Final = 60.0
"""For one whole exchange, so that an answer that trickles in cannot hold a worker."""

PORTS: Final = frozenset({443, 8443})
PLAIN_PORTS: Final = frozenset({80, 443})
"""Where lists of revoked certificates are published; they are signed, so plain http is as good."""

Resolver = Callable[[str, int], Awaitable[list[str]]]

# `is_global` says True for these, or says so in some releases of Python; each leads, or can lead, back inside.
_NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's metadata on a public address
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)


def is_public(address: str) -> bool:
    """Whether an IP address (text) is one of the open internet; wrapped IPv4 addresses are not."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC)


def check_address(url: str) -> None:
    """BadInput unless a shop's base URL is one this gateway would call: https, a host, no user, a usual port."""
    try:
        _check(httpx2.URL(url))
    except httpx2.InvalidURL as error:
        raise BadInput(f"This is not a URL: {error}.", fix="Write it as https://shop.example.") from None


def client(settings: Settings) -> httpx2.AsyncClient:
    """The client for everything a taxpayer's connection names; close it when done."""
    return _client(PublicAddressesOnly(_resolve) if not settings.allow_private_shops else None)


def list_client(*, this_machine: bool) -> httpx2.AsyncClient:
    """The client for what the authority publishes signed (CRLs, its issuers' certificates), over plain http too.

    Only public addresses, or with `this_machine` any: for lists of a simulated authority, whose address is loopback.
    """
    return _client(None if this_machine else PublicAddressesOnly(_resolve), plain=True)


def _client(addresses: "PublicAddressesOnly | None", *, plain: bool = False) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=_Transport(addresses, plain=plain),
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        # Compressed answers could unpack to any size.
        headers={"User-Agent": f"gateway/{__version__}", "Accept-Encoding": "identity"},
    )


def _check_published(url: httpx2.URL) -> None:
    """The same for what the authority publishes: its certificates carry the address."""
    if (
        url.scheme not in ("http", "https")
        or not url.host
        or url.userinfo
        or (url.port or (80 if url.scheme == "http" else 443)) not in PLAIN_PORTS
    ):
        raise BadInput(f"{url.scheme}://{url.host} is not an address that lists are read from.")
    if _is_literal(url.host) and not is_public(url.host):
        raise _not_public(url.host)


def _check(url: httpx2.URL) -> None:
    fix = "Give the shop's public address, such as https://shop.example."
    if url.scheme != "https":
        raise BadInput(f"Shops are called over https only, not {url.scheme or 'without a scheme'}.", fix=fix)
    if not url.host:
        raise BadInput("The shop's address has no host.", fix=fix)
    if url.userinfo:
        raise BadInput("The shop's address carries a user name or password.", fix="Put them into the secrets.")
    if (url.port or 443) not in PORTS:
        raise BadInput(f"Port {url.port} is not one that shops are called on.", fix=fix)
    if _is_literal(url.host) and not is_public(url.host):
        raise _not_public(url.host)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _not_public(host: str) -> BadInput:
    return BadInput(
        f"{host} does not lead to a public address, so it is not called.",
        fix="Give the shop's public address; private ones are for tests (GATEWAY_ALLOW_PRIVATE_SHOPS).",
    )


async def _resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, in the system's order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PublicAddressesOnly(httpcore2.AsyncNetworkBackend):
    """Connects to a host by an address that was resolved and judged here, and by no other."""

    def __init__(self, resolve: Resolver, network: httpcore2.AsyncNetworkBackend | None = None) -> None:
        self._resolve = resolve
        self._network = network or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address that answers; BadInput if any address of the host is not public."""
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in await self._public_addresses(host, port, timeout):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _public_addresses(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # a timeout is an OSError too
            raise httpcore2.ConnectError(f"{host} cannot be resolved") from error
        if not all(is_public(address) for address in addresses):
            raise _not_public(host)
        return addresses

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Transport(httpx2.AsyncBaseTransport):
    """HTTP over `addresses` (None: any address and scheme), with limits on the answer."""

    def __init__(self, addresses: PublicAddressesOnly | None, *, plain: bool = False) -> None:
        self._guarded = addresses is not None
        self._check = _check_published if plain else _check
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(),
            network_backend=addresses,
            max_connections=50,
            max_keepalive_connections=10,
            keepalive_expiry=10.0,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._guarded:
            self._check(request.url)
        until = time.monotonic() + MAX_SECONDS
        with _as_httpx():
            async with asyncio.timeout(MAX_SECONDS):
                response = await self._pool.handle_async_request(_core_request(request))
        body = _Body(response, request.url.host, until)
        if httpx2.Headers(response.headers).get("content-encoding", "identity") != "identity":
            await body.aclose()
            raise Unavailable(f"{request.url.host} sends compressed answers although asked not to.", retry_after=3600)
        # Nobody's cookies are kept: one client calls the hosts of all taxpayers.
        headers = [(name, value) for name, value in response.headers if name.lower() != b"set-cookie"]
        return httpx2.Response(response.status, headers=headers, stream=body, extensions=response.extensions)

    async def aclose(self) -> None:
        await self._pool.aclose()


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the trusted certificates takes some 30 ms, so it is done once."""
    return httpx2.create_ssl_context(trust_env=False)


class _Body(httpx2.AsyncByteStream):
    """An answer as it comes in, cut off at MAX_RESPONSE bytes and at its hour."""

    def __init__(self, response: httpcore2.Response, host: str, until: float) -> None:
        self._response = response
        self._host = host
        self._until = until

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with _as_httpx():
            async for part in self._response.aiter_stream():
                size += len(part)
                if size > MAX_RESPONSE:
                    raise BadInput(f"The answer of {self._host} is larger than {MAX_RESPONSE} bytes.")
                if time.monotonic() > self._until:
                    raise Unavailable(f"The answer of {self._host} took longer than {MAX_SECONDS:.0f} seconds.")
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


def _core_request(request: httpx2.Request) -> httpcore2.Request:
    url = httpcore2.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
    )
    content: Any = request.stream
    return httpcore2.Request(
        request.method, url, headers=request.headers.raw, content=content, extensions=request.extensions
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    """The pool's errors as those a caller of httpx expects."""
    try:
        yield
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:  # so that it can be told that nothing was sent
        raise httpx2.ConnectError(str(error)) from error
    except (httpcore2.TimeoutException, TimeoutError) as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except httpcore2.NetworkError as error:
        raise httpx2.NetworkError(str(error)) from error
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise httpx2.RemoteProtocolError(str(error)) from error
