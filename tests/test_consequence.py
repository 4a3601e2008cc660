"""One row an outcome; what each does is proved against the simulator in tests/pipeline/test_outcome_table.py."""

import pytest

from gateway.consequence import CONSEQUENCES, Fate, Line, status_after
from gateway.issued import Status
from gateway.verdict import Outcome


def test_every_outcome_has_its_row():
    assert set(CONSEQUENCES) == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_document_is_sent_again_exactly_when_its_fate_is_open(outcome):
    closed = CONSEQUENCES[outcome].fate in (Fate.ACCEPTED, Fate.REJECTED)
    assert outcome.is_final == closed
    assert status_after(outcome, before=Status.SENDING, endpoint="reporting").is_final == closed
    assert outcome.is_accepted == (CONSEQUENCES[outcome].fate is Fate.ACCEPTED)


@pytest.mark.parametrize("outcome", [each for each in Outcome if not each.is_final])
@pytest.mark.parametrize("before", [Status.UNKNOWN, Status.SENDING])
def test_what_may_have_been_accepted_stays_unknown_until_a_final_answer(outcome, before):
    assert status_after(outcome, before=before, endpoint="clearance") is Status.UNKNOWN


def test_only_refused_credentials_isolate_a_unit():
    assert [each for each, row in CONSEQUENCES.items() if row.line is Line.ISOLATED] == [Outcome.CREDENTIALS]


def test_an_attempt_of_an_older_ledger_is_still_read():
    assert Outcome("not_received") is Outcome.LIMITED
    with pytest.raises(ValueError):
        Outcome("no such thing")
