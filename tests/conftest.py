"""What all tests share."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import qrcode  # noqa: F401, before there are threads: see gateway.api.app
from hypothesis import settings as hypothesis_settings

import gateway.pdf.typeset
from gateway.pipeline.gateway import Gateway, open_gateway
from gateway.settings import Settings
from gateway.simulator import Running
from tests.installation import forget_documents, installed

ROOT = Path(__file__).parents[1]

# The same examples on every machine and every day; a test that needs more of them says so itself.
hypothesis_settings.register_profile("suite", derandomize=True, deadline=None, max_examples=60)
hypothesis_settings.load_profile("suite")


_BEGUN = time.monotonic()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Long forms begin until their time is over; each has its own end."""
    limit = float(os.environ.get("GATEWAY_TORTURE_MINUTES", "600"))
    if item.get_closest_marker("torture") and time.monotonic() - _BEGUN > limit * 60:
        pytest.skip(f"the {limit:g} minutes for long forms are over (GATEWAY_TORTURE_MINUTES)")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of official samples and recorded payloads, where it lies beside the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder of official samples is not beside the project")
    return folder


class Installation(NamedTuple):
    """One onboarded unit with an API connection (see tests/installation.py): its settings and an integrator's key."""

    settings: Settings
    key: str
    authority: Running


@pytest.fixture(scope="session")
def _onboarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Onboarding takes most of a second, so it is done once, and every test works on a copy."""
    with Running() as authority:
        settings, key = installed(tmp_path_factory.mktemp("onboarded"), authority)
        yield Installation(settings, key, authority)


@pytest.fixture
def installation(_onboarded: Installation, tmp_path: Path) -> Installation:
    """An installation of this test's own, and an authority that has not seen a document of it yet."""
    forget_documents(_onboarded.authority)
    home = tmp_path / "home"
    shutil.copytree(_onboarded.settings.home, home)
    return _onboarded._replace(settings=_onboarded.settings.model_copy(update={"home": home}))


@pytest.fixture
def authority(installation: Installation) -> Running:
    """The running simulator that the installation's unit is onboarded with."""
    return installation.authority


@pytest.fixture
def gateway(installation: Installation) -> Iterator[Gateway]:
    """The installation, open."""
    with open_gateway(installation.settings) as opened:
        yield opened
