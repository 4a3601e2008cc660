"""Which warnings may stand: said, listed, taken back, and refused in words where it cannot be."""

import json

import pytest

from tests.commands.conftest import complaint, run
from tests.installation import OWNER, order

RULE = "BR-KSA-71"


def issue(number):
    """A summary that names no buyer."""
    return run("issue", "--no-wait", "-", stdin=json.dumps(order(number, flags=["summary"])).encode())


def test_a_warning_from_stopping_to_standing_and_back(installed):
    assert "No warning is allowed" in run("rules", "list").out
    said = complaint(issue(1), f"{RULE} (buyer.name)")
    assert "  buyer.name: " in said
    assert run("rules", "allow", RULE, "--reason", "[vending] machines").code == 0
    ended = issue(1)
    assert ended.code == 0
    assert "allowed: buyer.name: " in ended.out
    (row,) = run("rules", "list", "--json").rows
    assert (row["rule"], row["reason"], row["actor"]) == (RULE, "[vending] machines", "command line")
    assert row["at"].endswith("+03:00")
    shown = run("rules", "list", "--taxpayer", OWNER).out
    assert RULE in shown
    assert "[vending] machines" in shown
    assert "stops documents again" in run("rules", "refuse", RULE).out
    complaint(issue(2), RULE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["allow", "BR-KSA-31", "--reason", "x"], "is an error"),
        (["allow", "BR-KSA-98", "--reason", "x"], "never stops a document"),
        (["allow", "BR-1000", "--reason", "x"], "no rule BR-1000"),
        (["allow", RULE, "--reason", " "], "The reason must be"),
        (["allow", RULE, "--reason", "x", "--taxpayer", "1"], "no taxpayer 1"),
        (["allow", RULE], "Usage: "),
        (["refuse", RULE], "is not allowed here"),
    ],
)
def test_what_cannot_be_allowed_or_refused(installed, arguments, says):
    complaint(run("rules", *arguments), says)
    assert run("rules", "list", "--json").rows == []
