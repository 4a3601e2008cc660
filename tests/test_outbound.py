"""Shop addresses: what is refused before and at connecting, and the limits on what comes back."""

import asyncio
import gzip
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpcore2
import httpx2
import pytest

from gateway import outbound
from gateway.errors import BadInput, Unavailable
from gateway.settings import Settings

PRIVATE = """
    0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::808:808
    64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254
    fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1
    localhost 0x7f000001 2130706433 0177.0.0.1 127.1
""".split()
PUBLIC = "1.1.1.1 8.8.8.8 9.9.9.9 212.138.64.1 172.32.0.1 2606:4700:4700::1111 2a00:1450:4001:81b::200e".split()

REFUSED_URLS = [
    "http://shop.example",
    "ftp://shop.example",
    "file:///etc/passwd",
    "gopher://shop.example:70/_x",
    "shop.example",
    "//shop.example",
    "https://",
    "https:///wp-json",
    "https://user@shop.example",
    "https://user:pass@shop.example",
    "https://shop.example@127.0.0.1",
    "https://shop.example:22",
    "https://shop.example:8069",
    "https://127.0.0.1",
    "https://127.0.0.1:8443/x",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]",
    "https://[::ffff:169.254.169.254]",
    "https://[64:ff9b::a9fe:a9fe]",
    "https://[2002:7f00:1::]",
    "https://shop.example:99999",
    "https://[::1",
]
TAKEN_URLS = ["https://shop.example", "https://shop.example:8443/shop/", "https://متجر.example", "https://1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not outbound.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert outbound.is_public(address)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_shop_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadInput):
        outbound.check_address(url)


@pytest.mark.parametrize("url", TAKEN_URLS)
def test_shop_urls_that_are_taken(url: str) -> None:
    outbound.check_address(url)


# -- connecting -----------------------------------------------------------------------------------------------


class Recorder(httpcore2.AsyncNetworkBackend):
    """Remembers where a connection was asked for, and fails it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore2.ConnectError("nobody there")


class Names:
    """A resolver that gives each answer once and repeats the last."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def attempt(names: Names, url: str = "https://shop.example/") -> list[str]:
    """The addresses a request to `url` tried to reach."""
    network = Recorder()

    async def ask() -> None:
        async with outbound._client(outbound.PublicAddressesOnly(names, network)) as client:
            await client.get(url)

    with pytest.raises((BadInput, httpx2.TransportError)) as caught:
        asyncio.run(ask())
    assert isinstance(caught.value, BadInput) == (not network.asked)
    return network.asked


@pytest.mark.parametrize("address", [a for a in PRIVATE if a[0].isdigit() or ":" in a])
def test_a_name_that_leads_inside_is_never_connected_to(address: str) -> None:
    assert attempt(Names([address])) == []
    assert attempt(Names(["1.1.1.1", address])) == []


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    assert attempt(Names(["1.1.1.1"])) == ["1.1.1.1"]


def test_every_address_is_tried_before_giving_up() -> None:
    assert attempt(Names(["2606:4700:4700::1111", "1.1.1.1"])) == ["2606:4700:4700::1111", "1.1.1.1"]


def test_a_name_that_changes_its_answer_is_asked_once_for_one_connection() -> None:
    rebinding = Names(["1.1.1.1"], ["127.0.0.1"])
    assert attempt(rebinding) == ["1.1.1.1"]
    assert rebinding.asked == 1
    assert attempt(rebinding) == []


class Wire(httpcore2.AsyncMockStream):
    """A connection that keeps what was said on it."""

    def __init__(self) -> None:
        super().__init__([b"HTTP/1.1 204 No Content\r\n\r\n"])
        self.tls_name: str | None = None
        self.sent = b""

    async def start_tls(self, *_: Any, server_hostname: str | None = None, **__: Any) -> httpcore2.AsyncNetworkStream:
        self.tls_name = server_hostname
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.sent += buffer


class Wired(httpcore2.AsyncNetworkBackend):
    """Connects everything to one wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        return self.wire


def test_host_and_tls_name_stay_the_shops_own() -> None:
    wire = Wire()

    async def ask() -> None:
        async with outbound._client(outbound.PublicAddressesOnly(Names(["1.1.1.1"]), Wired(wire))) as client:
            await client.get("https://shop.example/wp-json")

    asyncio.run(ask())
    assert wire.tls_name == "shop.example"
    assert b"\r\nHost: shop.example\r\n" in wire.sent


def test_a_name_without_an_address_is_a_connection_error() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    async def ask() -> None:
        async with outbound._client(outbound.PublicAddressesOnly(unknown)) as client:
            await client.get("https://shop.example/")

    with pytest.raises(httpx2.NetworkError, match="cannot be resolved"):
        asyncio.run(ask())


def test_the_real_resolver_reads_numbers_in_disguise() -> None:
    async def ask(url: str) -> None:
        async with outbound.client(Settings()) as client:
            await client.get(url)

    for url in ("https://localhost/", "https://2130706433/", "https://0x7f.1/", "http://1.1.1.1/"):
        with pytest.raises(BadInput):
            asyncio.run(ask(url))


# -- answers --------------------------------------------------------------------------------------------------


class Answers(http.server.BaseHTTPRequestHandler):
    """Misbehaves by path."""

    def do_GET(self) -> None:
        bodies = {"/large": b"x" * 3000, "/gzip": gzip.compress(b"x" * 100)}
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("Location", "/")
        if self.path == "/gzip":
            self.send_header("Content-Encoding", "gzip")
        body = bodies.get(self.path, self.headers["Accept-Encoding"].encode())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def get(url: str) -> httpx2.Response:
    async def ask() -> httpx2.Response:
        async with outbound.client(Settings(allow_private_shops=True)) as client:
            return await client.get(url)

    return asyncio.run(ask())


def test_private_shops_are_reached_when_allowed_and_asked_for_plain_bytes(server: str) -> None:
    assert get(server).text == "identity"


def test_redirects_are_not_followed(server: str) -> None:
    assert get(f"{server}/moved").status_code == 302


def test_an_answer_that_is_too_large_is_cut_off(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "MAX_RESPONSE", 2000)
    with pytest.raises(BadInput, match="larger than 2000 bytes"):
        get(f"{server}/large")


def test_an_answer_that_takes_too_long_is_cut_off(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "MAX_SECONDS", 0)
    with pytest.raises((Unavailable, httpx2.ReadTimeout)):
        get(f"{server}/large")


def test_compressed_answers_are_refused(server: str) -> None:
    with pytest.raises(Unavailable, match="compressed"):
        get(f"{server}/gzip")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/crl",
        "http://localhost/crl",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/crl",
        "https://10.0.0.1/crl",
        "http://lists.example:8080/crl",
        "http://user:pass@1.1.1.1/crl",
        "ftp://lists.example/crl",
    ],
)
def test_lists_are_read_from_public_addresses_and_usual_ports_only(url: str) -> None:
    async def get() -> None:
        async with outbound.list_client(this_machine=False) as client:
            await client.get(url)

    with pytest.raises((BadInput, httpx2.UnsupportedProtocol)):
        asyncio.run(get())


def test_lists_may_come_over_plain_http(server: str) -> None:
    async def get(*, this_machine: bool) -> int:
        async with outbound.list_client(this_machine=this_machine) as client:
            return (await client.get(server)).status_code

    assert asyncio.run(get(this_machine=True)) == 200
    with pytest.raises(BadInput):
        asyncio.run(get(this_machine=False))
