"""Books to examine, made once."""

import pytest

from tests.doctor.patient import copy_home, make_books
from tests.installation import forget_documents


@pytest.fixture(scope="session")
def healthy(_onboarded, tmp_path_factory):
    """Settings of an installation with sound books."""
    forget_documents(_onboarded.authority)  # and its clock is right again, whatever was tried with it before
    settings = copy_home(_onboarded.settings, tmp_path_factory.mktemp("healthy") / "home")
    make_books(settings)
    return settings


@pytest.fixture
def books(healthy, tmp_path):
    """A copy of it, the test's own."""
    return copy_home(healthy, tmp_path / "books")
