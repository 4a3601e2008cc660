"""Every command in README and docs does what is printed under it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.unit import Environment
from tests.docs.console import DOCUMENTS, ROOT, Step, fences, settled, steps

DEMO = "make demo"
# These documents go on with the gateway that the tutorial sets up: one unit, one connection, served, a key in $KEY.
GO_ON = {
    "docs/guides/send-orders-from-an-erp.md",
    "docs/guides/receive-webhooks.md",
    "docs/guides/correct-a-document.md",
    "docs/guides/connect-woocommerce.md",
    "docs/guides/connect-salla.md",
    "docs/guides/connect-zid.md",
    "docs/guides/connect-shopify.md",
    "docs/guides/connect-magento.md",
    "docs/guides/connect-odoo.md",
    "docs/guides/connect-erpnext.md",
    "docs/reference/api.md",
}
RUN = [document for document in DOCUMENTS if any(step.command != DEMO for step in steps(document))]


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", RUN, ids=name)
def test_commands_do_what_is_printed(document, request):
    for tool in ("curl", "sqlite3", "openssl"):
        if any(re.search(rf"\b{tool}\b", step.command) for step in steps(document)) and not shutil.which(tool):
            pytest.skip(f"this document uses {tool}")
    if name(document) in GO_ON:
        request.getfixturevalue("go_on")
    shell = request.getfixturevalue("shell")
    if name(document) in GO_ON:
        assert shell.follow(Step(0, "gateway serve", "")) is None
    for step in steps(document):
        if step.command != DEMO and (problem := shell.follow(step)):
            pytest.fail(f"{name(document)}, {problem}", pytrace=False)


@pytest.fixture
def go_on(environment, installation):
    environment |= {
        "GATEWAY_HOME": str(installation.settings.home),
        "GATEWAY_AUTHORITY_URL": installation.authority.url(Environment.SANDBOX),
        "GATEWAY_ALLOW_PRIVATE_SHOPS": "0",
        "KEY": installation.key,
    }


def test_the_demo_ends_as_the_readme_shows(environment):
    (step,) = [step for step in steps(ROOT / "README.md") if step.command == DEMO]
    ran = subprocess.run(["gateway", "demo"], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    came = {plain(line) for line in settled(ran.stdout).splitlines()}
    assert [line for line in settled(step.output).splitlines() if line != "..." and plain(line) not in came] == []


def plain(line: str) -> str:
    """A row without number and counter, for which order is first differs from run to run."""
    return re.sub(r"RUH1-\d+ +\d+", "NUMBER", " ".join(line.split()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_that_are_not_run_are_of_known_kinds(document):
    """Only what changes the machine is shown without being run."""
    assert {fence.language for fence in fences(document)} <= {"console", "json", "sh", "text", "xml", "ini"}
    lines = [line for fence in fences(document) if fence.language == "sh" for line in fence.text.splitlines()]
    assert [line for line in lines if not re.match(r"(make|docker|systemctl|journalctl)\b|  ", line)] == []
