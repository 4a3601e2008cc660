"""A command as a shell runs it: arguments in, exit code and both streams out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from gateway.__main__ import main
from tests.installation import order
from tests.stamp_documents import CERTS
from tests.ubl_documents import DOCUMENTS

GOLDEN = Path(__file__).parents[1] / "golden"
KEY, CERTIFICATE = CERTS / "unit.key", CERTS / "unit.pem"


def golden(name):
    assert name in DOCUMENTS
    return GOLDEN / f"{name.replace(' ', '-')}.xml"


class Ended(NamedTuple):
    """How a command ended. `out` are bytes, for some commands print XML."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self):
        return self.raw.decode()

    @property
    def rows(self):
        """One JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments, stdin=b"") -> Ended:
    """Run a command in this process, by the way its real entry takes."""
    with CliRunner().isolation(input=stdin) as (out, err, _):
        try:
            main([str(each) for each in arguments])
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return Ended(code, out.getvalue(), err.getvalue().decode())


def run_process(*arguments, stdin=b"", **environment) -> Ended:
    """Run a command in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr.decode())


def complaint(ended, says, code=2):
    """What was said on standard error: a clear sentence, and nothing of Python's own."""
    assert ended.code == code, ended
    assert says in ended.err
    assert "Traceback" not in ended.err + ended.out
    assert ended.err.startswith(("Error: ", "Usage: "))
    return ended.err


@pytest.fixture(autouse=True)
def _only_these_settings(monkeypatch, tmp_path):
    """No setting of whoever runs the tests, and a home of the test's own."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def installed(monkeypatch, installation):
    """The commands work on an onboarded installation."""
    monkeypatch.setenv("GATEWAY_HOME", str(installation.settings.home))
    monkeypatch.setenv("GATEWAY_AUTHORITY_URL", installation.settings.authority_url)
    monkeypatch.setenv("GATEWAY_ALLOW_PRIVATE_SHOPS", "true")
    return installation


@pytest.fixture
def written(tmp_path):
    """Write an order to a file and give its name."""

    def write(number=1, **more):
        file = tmp_path / f"order-{number}.json"
        file.write_text(json.dumps(order(number, **more)))
        return file

    return write
