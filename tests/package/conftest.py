"""A package of a small installation, made once."""

import shutil

import pytest

from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.gateway import open_gateway
from tests.installation import OWNER, forget_documents
from tests.package.books import drain, fill


@pytest.fixture(scope="session")
def certificate(package, filled):
    """What packages are sealed with."""
    with open_gateway(filled) as gateway:
        return gateway.sealing_key().certificate


@pytest.fixture(scope="session")
def filled(_onboarded, tmp_path_factory):
    """Settings of an installation with 8 documents, most of them answered."""
    forget_documents(_onboarded.authority)
    home = tmp_path_factory.mktemp("filled") / "home"
    shutil.copytree(_onboarded.settings.home, home)
    settings = _onboarded.settings.model_copy(update={"home": home})
    with open_gateway(settings) as gateway:
        fill(gateway, 6)
        drain(gateway)
        fill(gateway, 2, first=6)
    return settings


@pytest.fixture
def books(filled, tmp_path):
    """A copy of it, the test's own, open."""
    home = tmp_path / "books"
    shutil.copytree(filled.home, home)
    with open_gateway(filled.model_copy(update={"home": home})) as gateway:
        yield gateway


@pytest.fixture
def made(books, tmp_path):
    """Makes packages."""

    def make(name="package.zip", scope=None, **more):
        export(books, OWNER, scope or Scope(), tmp_path / name, actor="tests", **more)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def package(filled, tmp_path_factory):
    """The package of it all."""
    path = tmp_path_factory.mktemp("package") / "package.zip"
    with open_gateway(filled) as gateway:
        export(gateway, OWNER, Scope(), path, actor="tests")
    return path
