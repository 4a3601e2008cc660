"""Books to examine, made once."""

import pytest

from tests.doctor.patient import copy_home, make_books


@pytest.fixture(scope="session")
def healthy(_onboarded, tmp_path_factory):
    """Settings of an installation with sound books."""
    settings = copy_home(_onboarded.settings, tmp_path_factory.mktemp("healthy") / "home")
    make_books(settings)
    return settings


@pytest.fixture
def books(healthy, tmp_path):
    """A copy of it, the test's own."""
    return copy_home(healthy, tmp_path / "books")
