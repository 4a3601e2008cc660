"""The receiver of the guide, run as a process: it takes what is genuine, once."""

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from gateway.webhook import body_of, headers, new_secret
from tests.docs.console import ROOT

SECRET, OTHER = new_secret(bytes(range(32))), new_secret(bytes(range(24)))
BODY = body_of("document.cleared", datetime.now(UTC), {"number": "RUH1-000002", "status": "cleared"}).encode()


@pytest.fixture
def receiver():
    """The process and where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "docs" / "examples" / "webhook_receiver.py"), str(port)]
    environment = os.environ | {"WEBHOOK_SECRET": SECRET}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield process, f"http://127.0.0.1:{port}/"
        process.kill()


def test_it_takes_what_is_genuine_once(receiver):
    process, url = receiver
    now = datetime.now(UTC)

    def send(secrets, webhook_id, at=now, body=BODY):
        return httpx2.post(url, content=body, headers=headers(secrets, webhook_id, at, BODY)).status_code

    assert send([OTHER], "evt_0") == 401
    assert send([SECRET], "evt_0", body=BODY + b" ") == 401
    assert send([SECRET], "evt_0", at=now - timedelta(minutes=6)) == 401
    assert httpx2.post(url, content=BODY).status_code == 401
    assert send([SECRET], "evt_1") == 204
    assert send([OTHER, SECRET], "evt_1") == 204
    assert send([OTHER, SECRET], "evt_2") == 204
    process.kill()
    assert process.stdout.read().splitlines() == ["document.cleared RUH1-000002 cleared"] * 2
