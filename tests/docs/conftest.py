"""Where documents are run: a working folder, a plain environment, a shell."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import ROOT, Shell


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A plain environment in which `gateway` is at hand, without settings of the machine's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    commands = Path(sys.executable).parent
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
    (here / ".venv").symlink_to(sys.prefix)
    return here


@pytest.fixture
def shell(folder: Path, environment: dict[str, str]) -> Iterator[Shell]:
    """A shell in the working folder."""
    if not shutil.which("bash"):
        pytest.skip("there is no bash to run the documentation in")
    opened = Shell(folder, environment)
    yield opened
    opened.close()
