"""Documents are corrected from the command line."""

import json

from gateway.simulator import Fault
from tests.commands.conftest import complaint, run
from tests.installation import BUSINESS, order
from tests.pipeline.test_submit import REFUSAL


def file(tmp_path, content):
    path = tmp_path / "content.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_credit_and_debit_are_issued_submitted_and_shown(installed, written, tmp_path):
    assert run("issue", written(1, buyer=BUSINESS)).code == 0
    refund = file(tmp_path, {"id": "R-1", "lines": [{"line": "1", "quantity": "1"}]})
    ended = run("credit", "--json", "RUH1-000001", refund)
    (note,) = ended.rows
    assert (ended.code, note["kind"], note["total"], note["status"]) == (0, "credit_note", "57.50", "cleared")
    assert run("credit", "--json", "RUH1-000001", refund).rows[0]["uuid"] == note["uuid"]
    addition = file(tmp_path, {"id": "A-1", "lines": [order(1)["lines"][0] | {"id": "x"}]})
    (more,) = run("debit", "--json", "--no-wait", "RUH1-000001", addition).rows
    assert (more["kind"], more["total"], more["status"]) == ("debit_note", "115.00", "issued")


def test_what_cannot_be_corrected_is_refused_in_words(installed, written, tmp_path):
    assert run("issue", written(1)).code == 0
    everything = file(tmp_path, {"id": "R-1", "money": "115.01"})
    complaint(run("credit", "RUH1-000001", everything), "115.00 left")
    complaint(run("credit", "RUH1-000009", everything), "no document")
    complaint(run("correct", "RUH1-000001", written(1)), "only a rejected document")


def test_a_rejected_document_is_made_anew(installed, written):
    installed.authority.faults.add(Fault(status=400, body=REFUSAL))
    assert run("issue", written(1, buyer=BUSINESS)).code == 1
    ended = run("correct", "--json", "RUH1-000001", written(1, buyer=BUSINESS | {"name": "شركة أخرى"}))
    (made,) = ended.rows
    assert (ended.code, made["status"], made["icv"]) == (0, "cleared", 2)
    assert made["replaces"]
