"""A way to an Odoo on which connections break: the call is done, and its answer never comes."""

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import urlsplit


class Between:
    """Passes everything on to `target`; of the calls in `breaks`, (model, method), the next answer is lost."""

    def __init__(self, target: str) -> None:
        self.target, self.url = target, ""
        self.breaks: set[tuple[str, str]] = set()
        self.broken: list[tuple[str, str]] = []

    def is_lost(self, body: bytes) -> bool:
        words = re.findall(r"[\w.]+", re.sub(rb"<[^>]*>", b" ", body).decode())
        for call in set(pairwise(words)) & self.breaks:
            self.breaks.discard(call)
            self.broken.append(call)
            return True
        return False


class _Handler(BaseHTTPRequestHandler):
    between: Between
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.between.target)
        there = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        there.request(self.command, self.path, body, {"Content-Type": self.headers.get("Content-Type", "")})
        answer = there.getresponse()
        content = answer.read()
        there.close()
        if self.between.is_lost(body):
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def way_to(target: str) -> Iterator[Between]:
    """A running one; it ends with the block."""
    between = Between(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"between": between}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    between.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield between
    finally:
        server.shutdown()
        server.server_close()
