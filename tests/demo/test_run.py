"""The demo holds, and says so only then."""

import json
from contextlib import contextmanager

import pytest
import structlog

from gateway.demo import run
from gateway.demo.run import run_demo
from gateway.simulator import Fault
from gateway.simulator.calls import REPORTING
from tests.commands import conftest as commands


@pytest.fixture(autouse=True)
def _log_as_before():
    """The demo sets up the log for its own process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_the_sample_orders_of_every_shop(capsys):
    result = run_demo()
    assert result.problems == []
    assert result.held
    assert len(result.rows) == 14
    assert sorted(order for order, _ in result.waiting) == ["salla order 710000099", "woocommerce order 99"]
    assert all("does not close" in reason for _, reason in result.waiting)
    assert [row.icv for row in result.rows] == [str(icv) for icv in range(1, 15)]
    assert (result.rows[-1].order, result.rows[-1].kind) == ("woocommerce/46", "simplified credit note")
    assert {row.status for row in result.rows} == {"cleared", "reported"}
    assert {row.linked_back for row in result.rows} == {"yes"}
    assert {row.order.split("/")[0] for row in result.rows} == {"woocommerce", "salla"}
    assert len(result.proofs) == 6
    assert result.kept is None
    assert capsys.readouterr().out == "", "what programs read comes from the command"


def test_more_orders_than_there_are_samples():
    result = run_demo(orders=16)
    assert result.problems == []
    assert (len(result.rows), result.waiting) == (16, [])
    assert len({row.order for row in result.rows}) == 16


def test_what_is_kept_can_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(run.tempfile, "mkdtemp", lambda **_: str(tmp_path))
    result = run_demo(orders=1, keep=True)
    assert result.kept == tmp_path
    assert (tmp_path / "ledger.db").exists()
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))
    shown = {row["connection"]: row["error"] for row in commands.run("shops", "--json").rows}
    assert shown == {"salla": "", "woocommerce": ""}


REJECTION = json.dumps(
    {
        "validationResults": {"errorMessages": [{"code": "BR-KSA-15", "category": "KSA", "message": "no"}]},
        "reportingStatus": "NOT_REPORTED",
    }
)


@pytest.fixture
def impatient(monkeypatch):
    """The demo gives up sooner."""
    monkeypatch.setattr(run, "_PATIENCE", 1.0)


def test_a_rejected_document_is_not_hidden(monkeypatch, impatient):
    class Rejecting(run.Running):
        def __enter__(self):
            self.faults.add(Fault(status=400, body=REJECTION, endpoint=REPORTING))
            return super().__enter__()

    monkeypatch.setattr(run, "Running", Rejecting)
    result = run_demo(orders=5)
    assert not result.held
    assert [row.status for row in result.rows].count("rejected") == 1
    assert any("the authority has 4 documents, the ledger 5" in problem for problem in result.problems)


def closed_to_writing(opened):
    """Such a shop, but that it answers 403 to whatever would write."""

    @contextmanager
    def open_shop(orders):
        with opened(orders) as shop:
            answer = shop._refusal

            def refusal(request):
                if request.method != "GET":
                    shop.outage.append(403)
                return answer(request)

            shop._refusal = refusal
            yield shop

    return open_shop


@pytest.mark.parametrize(("platform", "orders"), [("woocommerce", 2), ("salla", 10)])
def test_a_shop_that_refuses_the_write_back_is_not_hidden(monkeypatch, impatient, platform, orders):
    name = f"{platform}_shop"
    monkeypatch.setattr(run, name, closed_to_writing(getattr(run, name)))
    result = run_demo(orders=orders)
    assert not result.held
    unlinked = [row.order for row in result.rows if row.linked_back == "no"]
    assert unlinked
    assert all(order.startswith(platform) for order in unlinked)
    (problem,) = result.problems
    assert all(order in problem for order in unlinked)


def test_an_order_that_was_lost_is_not_hidden(monkeypatch, impatient):
    """A gateway that took the hints and did nothing with them."""
    monkeypatch.setattr("gateway.ledger.Ledger.claim_notices", lambda *_, **__: ())
    result = run_demo(orders=3)
    assert any("0 documents for 3 orders" in problem for problem in result.problems)


def test_a_good_order_that_went_to_quarantine_is_not_hidden(monkeypatch):
    samples = run.demo.orders

    def spoilt(platform):
        found = samples(platform)
        if platform == "woocommerce":
            found["several_lines"]["total"] = "1.00"
        return found

    monkeypatch.setattr(run.demo, "orders", spoilt)
    result = run_demo()
    (problem,) = result.problems
    assert "woocommerce order 46" in problem
