"""A receiver of webhooks as a real HTTP server, which answers as it is told to."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Receiver:
    """Keeps (headers, body) of what it was sent; `answers` are statuses to answer first, then 204, and `says` the body
    of those. It would like to be remembered by a cookie."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.says = b""
        self.stall = 0.0
        self.url = ""

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that listens while the block lasts."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(kept.stall)
            status = kept.answers.pop(0) if kept.answers else 204
            self.send_response(status)
            if status in (301, 307):
                self.send_header("location", f"{kept.url}/elsewhere")
            said = kept.says if status >= 400 else b""
            self.send_header("set-cookie", "sid=1; Path=/")
            self.send_header("content-length", f"{len(said)}")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
