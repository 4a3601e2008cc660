"""Where documents are run: a working folder, a plain environment, a shell."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import PATIENCE, ROOT, Shell


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `gateway`, which is imported once for all the commands that are run here."""
    folder = tmp_path_factory.mktemp("bin")
    ready, door = Path(__file__).with_name("ready.py"), folder / "door"
    command = folder / "gateway"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -SE "{ready}" "{door}" "$@"\n', encoding="ascii")
    command.chmod(0o700)
    with subprocess.Popen([sys.executable, ready, door]) as server:
        until = time.monotonic() + PATIENCE
        while not door.exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield folder
        server.kill()


@pytest.fixture
def environment(tmp_path: Path, commands: Path) -> dict[str, str]:
    """A plain environment in which `gateway` is at hand, without settings of the machine's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "COLUMNS": "200",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the parts of the project that documents name."""
    here = tmp_path / "project"
    here.mkdir()
    for part in ("docs", "certs", "gateway"):
        (here / part).symlink_to(ROOT / part)
    (here / ".venv" / "bin").mkdir(parents=True)
    (here / ".venv" / "bin" / "activate").touch()  # `gateway` is at hand without it
    python = here / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o700)
    return here


@pytest.fixture
def shell(folder: Path, environment: dict[str, str]) -> Iterator[Shell]:
    """A shell in the working folder."""
    if not shutil.which("bash"):
        pytest.skip("there is no bash to run the documentation in")
    opened = Shell(folder, environment)
    yield opened
    opened.close()
