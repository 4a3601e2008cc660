"""A signer far away: `python -m tests.slow_signer HOME SOCKET SECONDS` holds an installation's keys and takes its time.

`FarStamper` is the adapter to it: its keys are used over the socket alone.
"""

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Unavailable
from gateway.keys import open_keys
from gateway.ledger import Ledger
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]


class FarStamper:
    """A Stamper whose signatures come over a socket, from whoever listens there."""

    is_slow = True

    def __init__(self, near, path):
        self._near, self._path = near, path

    def create(self, ref):
        return self._near.create(ref)

    def public_key(self, ref):
        return self._near.public_key(ref)

    def destroy(self, ref):
        self._near.destroy(ref)

    def health(self):
        return "ok"

    def sign(self, ref, message):
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(20)
                line.connect(str(self._path))
                line.sendall(json.dumps({"ref": ref, "message": message.hex()}).encode() + b"\n")
                signature = line.makefile("rb").readline()
        except OSError as error:
            raise Unavailable(f"The signer does not answer: {error}.") from None
        if not signature:
            raise Unavailable("The signer has hung up.")
        return bytes.fromhex(signature.decode())


@contextmanager
def signer(settings, path, *, seconds=0.0):
    """The signer's process."""
    command = [sys.executable, "-m", "tests.slow_signer", str(settings.home), str(path), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        while not path.exists():
            assert process.poll() is None, "the signer does not start"
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.wait()
        path.unlink(missing_ok=True)


def main(home, path, seconds):
    settings = Settings.given(home=home)
    stamper, _ = open_keys(settings, Ledger.open(settings.ledger_url))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        while True:
            line, _ = door.accept()
            with line:
                asked = json.loads(line.makefile("rb").readline())
                time.sleep(float(seconds))
                line.sendall(stamper.sign(asked["ref"], bytes.fromhex(asked["message"])).hex().encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
