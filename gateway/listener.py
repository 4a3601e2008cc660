"""Sockets to serve on, ours before anything else is started."""

import socket

from gateway.errors import Misconfigured

BACKLOG = 256


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Misconfigured if the address or port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns off the delay of small packets only where it sees TCP; with it
    # every answer on a kept connection would wait some 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"Nothing can listen on {host}:{port}: {error.strerror}.",
            fix="Stop the program that uses it, or choose another port.",
        ) from None
    return listener
