"""Orders by HTTP, as many at a time as there are clients: `python -m tests.bench.load`, in a process of its own.

Each client has one kept connection and sends its next order once it has its answer. Prints one JSON object: how long
it took altogether, and what the answers were and how long each of them took.
"""

import argparse
import asyncio
import json
import sys
import time
from itertools import count
from typing import Any

from tests.bench.orders import order_of


class Client(asyncio.Protocol):
    """One connection: an order, its answer, the next order."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._transport: Any = None
        self._began = 0.0
        self._seen = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        seen = self._seen = self._seen + data if self._seen else data
        head = seen.find(b"\r\n\r\n")
        if head < 0 or len(seen) < head + 4 + _length(seen[:head]):
            return
        self._run.answered(seen, time.perf_counter() - self._began)
        self._seen = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(error)

    def _send(self) -> None:
        request = self._run.next()
        if request is None:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return int(head[at:].split(b"\r\n", 1)[0])


class Run:
    """What all clients share: the orders still to send, and what came of those sent."""

    def __init__(self, requests: list[bytes], clients: int) -> None:
        self._requests = iter(requests)
        self._clients = clients
        self.seconds: list[float] = []
        self.answers: dict[str, int] = {}
        self.first_refusal = ""
        self.done = asyncio.Event()

    def next(self) -> bytes | None:
        return next(self._requests, None)

    def answered(self, answer: bytes, seconds: float) -> None:
        status = answer[9:12].decode()
        self.seconds.append(seconds)
        self.answers[status] = self.answers.get(status, 0) + 1
        if status not in ("200", "201", "202") and not self.first_refusal:
            self.first_refusal = answer.decode(errors="replace")

    def lost(self, error: Exception | None) -> None:
        if error:
            self.answers["lost"] = self.answers.get("lost", 0) + 1
        self._clients -= 1
        if not self._clients:
            self.done.set()


def requests(arguments: argparse.Namespace) -> list[bytes]:
    """The orders as they go over the wire, made before the clock runs."""
    numbers = count(arguments.first)
    made = []
    for n in range(arguments.orders):
        unit = f"U{n % arguments.units + 1:02d}" if arguments.units > 1 else None
        body = json.dumps(order_of(next(numbers), unit=unit)).encode()
        head = (
            f"POST {arguments.path} HTTP/1.1\r\nHost: {arguments.host}:{arguments.ports[0]}\r\n"
            f"Authorization: Bearer {arguments.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    whole = Run(requests(arguments), arguments.clients)
    loop = asyncio.get_running_loop()
    began, busy = time.perf_counter(), time.process_time()
    for n in range(arguments.clients):
        port = arguments.ports[n % len(arguments.ports)]
        await loop.create_connection(lambda: Client(whole), arguments.host, port)
    await whole.done.wait()
    return {
        "seconds": time.perf_counter() - began,
        "own_cpu": time.process_time() - busy,
        "answers": whole.answers,
        "latencies": whole.seconds,
        "first_refusal": whole.first_refusal,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--ports", type=int, nargs="+", required=True)
    parser.add_argument("--path", default="/v1/orders")
    parser.add_argument("--key", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--first", type=int, default=1, help="Number of the first order.")
    parser.add_argument("--units", type=int, default=1, help="Over how many units the orders are spread.")
    json.dump(asyncio.run(run(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()
