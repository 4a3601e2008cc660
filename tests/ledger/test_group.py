"""Documents that are made together: one transaction, each its own outcome, and no place is consumed for nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.chain import walk
from gateway.errors import Conflict, NotCompliant, Unavailable
from gateway.ledger import Laid, Ledger
from gateway.ledger.database import Database
from gateway.ledger.journal import Journal
from gateway.ledger.line import Line, Waiting
from tests.ledger.books import NOW, UNIT, csid, maker, sale


def links(ledger, name="csid-1"):
    return list(ledger.chain_links("tp", name))


class Crowd:
    """Appends that wait until a first one, which is held up in its transaction, lets them be made together."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.outcomes = {}
        self._pool = ThreadPoolExecutor(100)
        self._began, self._go = threading.Event(), threading.Event()
        self._first = self._pool.submit(self._append, "first", sale("first"), self._held_up)
        assert self._began.wait(10)
        self._later = []

    def _held_up(self, slot):
        self._began.set()
        assert self._go.wait(10)
        return maker("u-first")(slot)

    def _append(self, name, wanted, make):
        try:
            self.outcomes[name] = self.ledger.append(wanted, make, actor="t", now=NOW)
        except Exception as error:  # noqa: BLE001
            self.outcomes[name] = error

    def add(self, name, make=None, **changes):
        line = self.ledger._line
        before = len(line._waiting)
        wanted = sale(changes.pop("order", name), **changes)
        self._later.append(self._pool.submit(self._append, name, wanted, make or maker(f"u-{name}")))
        while len(line._waiting) == before:
            pass

    def go(self):
        self._go.set()
        for each in (self._first, *self._later):
            each.result(20)
        self._pool.shutdown()


@pytest.fixture
def crowd(ledger):
    return Crowd(ledger)


def refused(name):
    """Laid like any other, and found to break a rule when it is proved."""

    def make(slot):
        made = maker(name)(slot)

        def finish():
            raise NotCompliant("breaks a rule", findings=())

        return Laid(made.hash, finish)

    return make


def test_each_has_its_own_outcome_and_who_is_refused_consumes_nothing(crowd, ledger, monkeypatch):
    transactions = []
    writing = Database.writing
    monkeypatch.setattr(Database, "writing", lambda self: (transactions.append(1), writing(self))[1])
    crowd.add("a", idempotency_key="k")
    crowd.add("bad", refused("u-bad"))
    crowd.add("b", invoice_number="INV-7")
    crowd.add("other key", idempotency_key="k", order="x")
    crowd.add("same number", invoice_number="INV-7")
    crowd.add("a again", order="a", idempotency_key="k")
    crowd.add("c")
    crowd.go()
    got = crowd.outcomes
    made = [got[name].issued for name in ("first", "a", "b", "c")]
    assert [each.icv for each in made] == [1, 2, 3, 4]
    assert [each.number for each in made] == ["RUH1-000001", "RUH1-000002", "INV-7", "RUH1-000003"]
    assert isinstance(got["bad"], NotCompliant)
    assert [type(got[name]) for name in ("other key", "same number")] == [Conflict, Conflict]
    assert (got["a again"].created, got["a again"].issued) == (False, got["a"].issued)
    assert list(walk(links(ledger))) == []
    assert len(links(ledger)) == 4
    # The group, each of those that are in another's way, and in SQLite the first, which is made before it is counted.
    assert len(transactions) == 1 + 3 + ledger._database.is_sqlite


def test_a_group_shares_one_sync_of_the_journal(crowd, ledger, tmp_path, monkeypatch):
    ledger.keep_journal(tmp_path / "heads")
    records = []
    real = Journal.record
    monkeypatch.setattr(Journal, "record", lambda self, *heads: (records.append(heads), real(self, *heads))[1])
    for n in range(10):
        crowd.add(f"o{n}")
    crowd.go()
    assert [heads[-1].icv for heads in records] == [1, 11]


def test_what_cannot_be_journalled_is_told_to_nobody_of_the_group(crowd, ledger, tmp_path, monkeypatch):
    ledger.keep_journal(tmp_path / "heads")
    crowd.add("a")
    crowd.add("b")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_append", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        crowd.go()
    assert {type(each) for each in crowd.outcomes.values()} == {Unavailable}
    assert ledger.append(sale("a"), maker("again"), actor="t", now=NOW).created is False


@pytest.mark.only("sqlite")
def test_a_place_that_was_foreseen_and_taken_by_another_process_is_foreseen_anew(ledger, url):
    slots = []

    def make(slot):
        slots.append(slot)
        if len(slots) == 1:
            with Ledger.open(url) as other:
                other.append(sale("theirs"), maker("theirs"), actor="t", now=NOW)
        return maker("ours")(slot)

    ours = ledger.append(sale("ours"), make, actor="t", now=NOW).issued
    assert [slot.link.icv for slot in slots] == [1, 2]
    assert (ours.icv, ours.number) == (2, "RUH1-000002")
    assert list(walk(links(ledger))) == []


@pytest.mark.only("sqlite")
def test_a_sale_that_another_process_issues_meanwhile_has_one_document(ledger, url):
    second = replace(UNIT, id="second", number_prefix="S-")
    ledger.add_unit(second, now=NOW)
    ledger.add_csid(csid(second, "csid-second"), now=NOW)

    def make(slot):
        with Ledger.open(url) as other:
            other.append(sale("46", unit=second), maker("theirs"), actor="t", now=NOW)
        return maker("ours")(slot)

    found = ledger.append(sale("46"), make, actor="t", now=NOW)
    assert (found.created, found.issued.uuid, links(ledger)) == (False, "theirs", [])


def waiting(name):
    return Waiting(sale(name), maker(name), "t", NOW, looks_back=False)


def test_a_line_serves_no_more_than_some_at_once_and_leaves_nobody():
    served, go, began = [], threading.Event(), threading.Event()

    def serve(some):
        served.append(len(some))
        began.set()
        assert go.wait(10)
        return lambda: [each.serve(each.sale.order_id) for each in some]

    line = Line(serve, 64)
    with ThreadPoolExecutor(200) as pool:
        first = pool.submit(line.stand, waiting("first"))
        assert began.wait(10)
        rest = [pool.submit(line.stand, waiting(str(n))) for n in range(150)]
        while len(line._waiting) < 150:
            pass
        go.set()
        assert [each.result(10) for each in (first, *rest)] == ["first", *map(str, range(150))]
    assert served == [1, 64, 64, 22]


def test_one_that_is_interrupted_at_work_leaves_nobody_waiting():
    class Killed(BaseException):
        pass

    go, began = threading.Event(), threading.Event()

    def serve(some):
        began.set()
        assert go.wait(10)
        if some[0].sale.order_id == "first":
            raise Killed
        return lambda: [each.serve(each.sale.order_id) for each in some]

    line = Line(serve, 64)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(line.stand, waiting("first"))
        assert began.wait(10)
        later = pool.submit(line.stand, waiting("later"))
        while not line._waiting:
            pass
        go.set()
        assert later.result(10) == "later"
        with pytest.raises(Killed):
            first.result(10)
