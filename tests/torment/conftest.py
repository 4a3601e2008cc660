"""Installations to torment, on both engines."""

import pytest

from tests.postgres import Databases, server
from tests.torment.site import Template, Zygote

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def zygote():
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory):
    made = Template(tmp_path_factory.mktemp("torment") / "template")
    yield made
    made.close()


@pytest.fixture(scope="module")
def postgresql_template(tmp_path_factory):
    with server() as url:
        databases = Databases(url)
        made = Template(tmp_path_factory.mktemp("torment") / "template", databases)
        yield made
        made.close()
        databases.close()


@pytest.fixture(params=ENGINES)
def site(request, zygote, tmp_path):
    """A site of this test's own."""
    template = request.getfixturevalue(f"{request.param}_template")
    with template.site(zygote, tmp_path) as site:
        yield site
