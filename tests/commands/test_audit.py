"""`gateway audit`, and keys that end and see a part only."""

from tests.commands.conftest import complaint, run


def test_the_audit_log_and_keys_that_end(installed, written):
    for number in (1, 2):
        assert run("issue", written(number)).code == 0
    key = run(
        "keys", "add", "--role", "auditor", "--label", "ACME", "--until", "2999-01-31", "--issued-from", "2026-01-01"
    )
    assert key.out.startswith("gw_test_")
    listed = run("keys", "list").out
    assert "2999-01-31" in listed
    assert "from 2026-01-01" in listed
    (entry,) = run("audit", "--action", "key.added", "--limit", "1", "--json").rows
    assert entry["detail"]["sees"] == {"from": "2026-01-01"}
    assert entry["actor"] == "command line"
    shown = run("audit", "--action", "document.issued")
    assert shown.out.count("document.issued") == 2
    assert len(run("audit", "--json", "--limit", "1000").rows) > 5
    complaint(run("keys", "add", "--role", "admin", "--unit", "RUH1"), "auditor")
    complaint(run("keys", "add", "--role", "admin", "--until", "2020-01-01"), "past")
    assert run("keys", "add", "--role", "admin", "--until", "9999-12-31").code == 0
