"""The life of an installation as a state machine: sales, notes, corrections, a strange authority, clocks and deaths."""

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.errors import BadInput, Conflict, GatewayError, Unavailable
from gateway.invoice.facts import RIYADH, Kind
from gateway.issued import Status
from gateway.order import Addition, Refund, read_order
from gateway.pipeline.deadlines import raise_alarms
from gateway.pipeline.issue import Request, correct
from gateway.pipeline.notes import NoteRequest, correct_note, credit, debit
from gateway.pipeline.renew import renew
from gateway.pipeline.revocation import check_revocations
from gateway.pipeline.unit_status import release
from gateway.pipeline.validity import certificates_in_use
from gateway.simulator import Strict
from gateway.simulator.catalogue import CATALOGUE, CLEARANCE, REPORTING, named
from gateway.simulator.overnight import Level, Switch
from tests.installation import BUSINESS, OWNER, order
from tests.simulation.deaths import DEATHS, ISSUING_DEATHS, dying, dying_in_issue
from tests.simulation.invariants import Invariants
from tests.simulation.world import CONNECTIONS, OTP, UNITS, Killed

UNIT_IDS = sorted(UNITS)
FAULTS = tuple(
    name
    for name, row in CATALOGUE.items()
    if row.fault.is_for(REPORTING) or row.fault.is_for(CLEARANCE)
    if not name.startswith("too-large")  # for which see Life.too_large
)
NAMES = ("قهوة عربية", "شاي أخضر")
BAN = "//cac:Item/cbc:Name[text()='{}']"
PICK = st.integers(0, 30)
DOUBTFUL = (Status.UNKNOWN, Status.SENDING)
CLOCK_DOUBT = timedelta(minutes=65)
"""As long as a difference of clocks once seen may stop issuing."""


class Life(RuleBasedStateMachine):
    """Each rule is something that happens; after each, everything in invariants.py holds."""

    def __init__(self, world):
        super().__init__()
        self.world, self.ledger, self.clock = world, world.ledger, world.clock
        self.state, self.gateway = world.state, world.gateway
        self.books = Invariants(world.gateway, OWNER, world.state)
        self.orders, self.notes, self.refunds = [], {}, []
        self.keys, self.revoked, self.renewals, self.number = {}, set(), 0, 0
        self.doubt_until, self.warned, self.seen = self.clock.true(), None, None
        self.rows = []

    # -- what holds

    @invariant()
    def all_holds(self):
        seen = (self.clock(), self.world.heads())
        if self.seen != seen:  # else none can be due
            self.seen, self.warned = seen, self.clock()
            raise_alarms(self.gateway)
        self.rows = self.books.check(warned=self.warned).documents

    def teardown(self):
        try:
            self.settle()
            self.books.check(drained=True, warned=self.warned)
            self.nothing_is_left()
        finally:
            super().teardown()

    # -- sales

    @initialize(name=st.sampled_from(NAMES), storm=st.sampled_from([0, 1, 2, 3]))
    def open_for_business(self, name, storm):
        """So that there is something to go wrong with; and in most lives three of ten calls do."""
        if storm:
            self.state.faults.strict = Strict(seed=storm, rate=0.3, stall=0.0, delay=0.0)
        for unit in UNIT_IDS:
            for business in (True, False):
                self.number += 1
                self.issue(self.order(self.number, name, CONNECTIONS[0], unit, business=business), None, unit)

    @rule(
        business=st.booleans(), unit=st.sampled_from(UNIT_IDS), connection=st.sampled_from(CONNECTIONS),
        number=st.booleans(), key=st.booleans(), name=st.sampled_from(NAMES), death=st.sampled_from(ISSUING_DEATHS),
    )  # fmt: skip
    def sell(self, business, unit, connection, number, key, name, death):
        self.number += 1
        made = self.order(self.number, name, connection, unit, business=business)
        if number:
            made["invoice_number"] = f"ERP-{self.number}"
        self.issue(made, f"key-{self.number}" if key else None, unit, death=death)

    @rule(unit=st.sampled_from(UNIT_IDS), name=st.sampled_from(NAMES))
    def prepay(self, unit, name):
        self.number += 1
        self.issue(self.order(self.number, name, CONNECTIONS[0], unit, kind="prepayment"), None, unit)

    @precondition(lambda self: self.of_kind(Kind.PREPAYMENT))
    @rule(pick=PICK, amount=st.sampled_from(["23.00", "115.00"]), name=st.sampled_from(NAMES))
    def take_off(self, pick, amount, name):
        prepaid = self.picked(self.of_kind(Kind.PREPAYMENT), pick)
        self.number += 1
        unit = prepaid.unit_id
        taken = [{"number": prepaid.number, "amount": amount}]
        made = self.order(self.number, name, CONNECTIONS[0], unit, prepayments=taken)
        self.issue(made, None, unit, refusals=(BadInput, Conflict))

    @precondition(lambda self: self.orders)
    @rule(pick=PICK, key=st.booleans())
    def sell_again(self, pick, key):
        """The same order once more is the same document, under its own key, or none, or a new one."""
        made, known, uuid = self.picked(self.orders, pick)
        before = self.world.heads()
        try:
            again = self.world.issue(made, key=known if key else None)
        except Unavailable:
            assert self.may_be_unavailable(made["unit"])
            return
        except Conflict:
            assert Status(self.row(uuid).status) is Status.REJECTED or self.row(uuid).replaces or self.replaced(uuid)
            return
        assert (again.issued.uuid, again.created) == (uuid, False) or self.replaced(uuid), (
            "the same order, two documents"
        )
        assert self.world.heads() == before

    @precondition(lambda self: self.orders)
    @rule(pick=PICK)
    def sell_otherwise(self, pick):
        """The order's id with other content is a conflict for ever."""
        made, _, _ = self.picked(self.orders, pick)
        self.refused(lambda: self.world.issue(made | {"note": "other"}), Conflict, made["unit"])

    @precondition(lambda self: self.keys)
    @rule(pick=PICK, unit=st.sampled_from(UNIT_IDS))
    def key_for_another(self, pick, unit):
        key = self.picked(sorted(self.keys), pick)
        self.number += 1
        made = self.order(self.number, NAMES[0], CONNECTIONS[0], unit)
        self.refused(lambda: self.world.issue(made, key=key), Conflict, unit)

    @precondition(lambda self: any("invoice_number" in made for made, _, _ in self.orders))
    @rule(pick=PICK, unit=st.sampled_from(UNIT_IDS))
    def number_taken(self, pick, unit):
        taken = self.picked([made for made, _, _ in self.orders if "invoice_number" in made], pick)["invoice_number"]
        self.number += 1
        made = self.order(self.number, NAMES[0], CONNECTIONS[1], unit) | {"invoice_number": taken}
        self.refused(lambda: self.world.issue(made), Conflict, unit)

    # -- notes and corrections

    @precondition(lambda self: self.rows)
    @rule(pick=PICK, how=st.sampled_from([{"money": "40.00"}, {"everything": True}, {"lines": "one"}]))
    def give_back(self, pick, how):
        row = self.picked(self.rows, pick)
        self.number += 1
        if "lines" in how:
            how = {"lines": [{"line": "1", "quantity": "1"}]}
        self.credit(row.uuid, {"id": f"R-{self.number}", **how})

    @precondition(lambda self: self.refunds)
    @rule(pick=PICK)
    def give_back_again(self, pick):
        uuid, refund, note = self.picked(self.refunds, pick)
        made = self.credit(uuid, refund)
        assert made is None or made.uuid == note or self.replaced(note), "the same refund, two notes"

    @precondition(lambda self: self.rows)
    @rule(pick=PICK, name=st.sampled_from(NAMES))
    def charge_more(self, pick, name):
        row = self.picked(self.rows, pick)
        self.number += 1
        line = order(1)["lines"][0] | {"id": "x", "quantity": "1", "name": name}
        addition = Addition.model_validate({"id": f"A-{self.number}", "lines": [line]})
        made = self.tried(lambda: debit(self.gateway, self.note_on(row.uuid), addition), row.unit_id, Conflict)
        if made:
            self.notes[made.issued.uuid] = addition.model_dump(mode="json", exclude_defaults=True)

    @precondition(lambda self: self.with_status(Status.REJECTED))
    @rule(pick=PICK, name=st.sampled_from(NAMES))
    def mend(self, pick, name):
        row = self.picked(self.with_status(Status.REJECTED), pick)
        if row.corrects is None:
            self.mend_invoice(row, name)
        else:
            self.mend_note(row)

    def mend_invoice(self, row, name):
        at = next(place for place, each in enumerate(self.orders) if each[2] == row.uuid)
        made, key, _ = self.orders[at]
        lines = [made["lines"][0] | {"name": name}]
        better = made | {"lines": lines, "note": f"mended {row.icv}"}
        request = Request(OWNER, "tests", read_order(better))
        done = self.tried(lambda: correct(self.gateway, row.uuid, request), row.unit_id, Conflict, BadInput)
        if done:
            assert done.issued.replaces == row.uuid
            self.orders[at] = (better, key, done.issued.uuid)

    def mend_note(self, row):
        content = self.notes[row.uuid] | {"note": f"mended {row.icv}"}
        document = (Addition if row.kind == Kind.DEBIT_NOTE.value else Refund).model_validate(content)
        raw = document.canonical_json.encode()
        done = self.tried(
            lambda: correct_note(self.gateway, OWNER, "tests", row.uuid, raw), row.unit_id, Conflict, BadInput
        )
        if done:
            self.notes[done.issued.uuid] = content

    # -- the authority

    @rule(name=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def goes_wrong(self, name, times):
        self.state.faults.add(named(name, times=times, delay=0.0, refuse=0.0))

    @rule(hours=st.sampled_from([1, 7, 25]))
    def outage(self, hours):
        self.state.faults.add(named("unavailable", until=self.clock.true() + timedelta(hours=hours)))

    @precondition(lambda self: not self.with_status(*DOUBTFUL) and not self.state.faults.queue)
    @rule()
    def too_large(self):
        """A 413 means that the bytes never came in, so it does not follow a sending that may have been accepted."""
        self.state.faults.add(named("too-large"))
        self.drain()
        self.state.faults.reset()

    @precondition(lambda self: not self.with_status(*DOUBTFUL))
    @rule(name=st.sampled_from(NAMES))
    def rule_overnight(self, name):
        """From now on documents with this item are refused. What the authority has already it may have forgotten after
        a day, so that no document is in doubt then."""
        self.state.rules = {"MADE-UP-1": Switch("MADE-UP-1", Level.ERROR, xpath=BAN.format(name))}

    @rule()
    def rule_gone(self):
        self.state.rules = {}

    @rule(on=st.booleans())
    def clearance(self, on):
        self.state.clearance_on = on

    @rule(unit=st.sampled_from(UNIT_IDS))
    def let_go(self, unit):
        """A person has looked at a unit, or an older certificate of it, that a 401 stopped."""
        if self.is_held(unit):
            release(self.gateway, UNITS[unit], actor="tests")

    # -- certificates

    @precondition(lambda self: self.renewals < 2)
    @rule(unit=st.sampled_from(UNIT_IDS), direct=st.booleans())
    def renew(self, unit, direct):
        if unit in self.revoked:
            return
        self.renewals += 1
        self.state.renewal_is_direct = direct

        async def run():
            await renew(self.gateway, self.world.lines, OWNER, unit, OTP, tell=lambda step: None, restart=True)

        self.attempt(lambda: self.world.run(run()))

    @precondition(lambda self: not self.revoked and self.renewals < 2)
    @rule(unit=st.sampled_from(UNIT_IDS))
    def revoke(self, unit):
        """In the portal; the gateway sees it on the next list, which it fetches some hours after the last."""
        self.clock.at += timedelta(hours=7)
        self.renewals += 1
        self.revoked.add(unit)
        self.state.revoke(self.ledger.current_csid(OWNER, unit).request_id)
        found = self.world.run(check_revocations(self.gateway, certificates_in_use(self.gateway)))
        assert {each.csid.unit_id for each in found if each.is_revoked} == {unit}

    @precondition(lambda self: self.revoked)
    @rule()
    def onboard_anew(self):
        (unit,) = self.revoked
        if self.attempt(lambda: self.world.onboard(UNITS[unit], restart=True)):
            self.revoked.clear()

    # -- time

    @rule(minutes=st.sampled_from([1, 1, 1, 5, 30, 120]))
    def time_passes(self, minutes):
        self.clock.at += timedelta(minutes=minutes)

    @rule(seconds=st.sampled_from([-61, -30, -1, 0, 1, 30, 59, 61]))
    def midnight(self, seconds):
        """It is so many seconds after the next midnight in Riyadh."""
        day = (self.clock.at.astimezone(RIYADH) + timedelta(days=1)).date()
        self.at_moment(day.year, day.month, day.day, seconds)

    @precondition(lambda self: self.clock.at.year == 2026)
    @rule(seconds=st.sampled_from([-2, 0, 1]))
    def year_end(self, seconds):
        self.at_moment(2027, 1, 1, seconds)

    def at_moment(self, year, month, day, seconds):
        midnight = datetime(year, month, day, tzinfo=RIYADH) + timedelta(seconds=seconds)
        self.clock.at = max(self.clock.at, midnight.astimezone(self.clock.at.tzinfo))

    @rule(seconds=st.sampled_from([-7200, -59, -40, -5, 0, 5, 40, 59]))
    def clock_steps(self, seconds):
        """Our clock is so far ahead of the authority's now, or behind it. That it is ahead, an answer has shown: before
        one has, nobody can know that it is tomorrow here and not there."""
        self.clock.skew = timedelta(seconds=seconds)
        if seconds >= 0:
            self.gateway.clocks.saw(self.clock.true(), self.clock())
        self.doubt_until = self.clock.true() + CLOCK_DOUBT

    # -- work

    @rule()
    def drain(self):
        self.world.drain()

    @rule(death=st.sampled_from(DEATHS), after=st.integers(0, 3))
    def worker_dies(self, death, after):
        with dying(self.world, death, after):
            try:
                self.world.drain()
            except Killed:
                return

    @rule(after=st.integers(0, 2))
    def worker_is_overtaken(self, after):
        """An answer is so late that its lease has ended, and another worker has sent the document again."""
        left = [after]

        async def meddle(send):
            verdict = await send()
            left[0] -= 1
            if left[0] == -1:
                self.clock.at += timedelta(minutes=2)
                await self.world.worker().drain()
            return verdict

        self.world.authority.meddle = meddle
        try:
            self.world.drain()
        finally:
            self.world.authority.meddle = None

    # -- the end

    def settle(self):
        """All goes right from now on, and a person does what only a person can do."""
        self.clock.skew, self.state.clearance_on, self.state.rules = timedelta(), True, {}
        self.state.faults.reset()
        self.clock.at += timedelta(hours=3)
        if self.revoked:
            self.onboard_anew()
        for _ in range(60):
            self.all_holds()
            for unit in UNITS:
                self.let_go(unit)
            self.world.drain()
            if not self.waiting():
                break
            self.clock.at += timedelta(minutes=6)
        self.all_holds()

    def waiting(self):
        lost = self.lost()
        return [row for row in self.rows_now() if not Status(row.status).is_final and row.uuid not in lost]

    def lost(self):
        """What can never be accepted: stamped by a certificate that was revoked before it was sent; and the notes that
        wait for such a document or for one that stays rejected."""
        rows = self.rows_now()
        revoked = {each.id for each in self.books.read().csids.values() if each.revoked_at}
        lost = {row.uuid for row in rows if row.csid_id in revoked or row.status == Status.REJECTED.value}
        for _ in rows:
            lost |= {row.uuid for row in rows if row.corrects in lost}
            lost |= {row.replaces for row in rows if row.uuid in lost and row.replaces}
        return lost

    def nothing_is_left(self):
        left = [(row.number, row.status, row.held_for) for row in self.waiting()]
        assert left == [], f"not drained: {left}, {self.ledger.broken_lines()}"

    # -- words

    def order(self, number, name, connection, unit, *, business=False, **more):
        made = order(number, **more) | {"connection": connection, "unit": unit}
        made["placed_at"] = self.clock.true().astimezone(RIYADH).isoformat()
        made["lines"] = [made["lines"][0] | {"name": name}]
        return made | ({"buyer": BUSINESS} if business else {})

    def issue(self, made, key, unit, *, death=None, refusals=()):
        with dying_in_issue(death):
            try:
                done = self.tried(lambda: self.world.issue(made, key=key), unit, *refusals)
            except Killed:
                done = None
        done = done or self.tried(lambda: self.world.issue(made, key=key), unit, *refusals)
        if done:
            self.orders.append((made, key, done.issued.uuid))
            if key:
                self.keys[key] = done.issued.uuid

    def credit(self, uuid, refund):
        asked = Refund.model_validate(refund)
        row = self.row(uuid)
        done = self.tried(lambda: credit(self.gateway, self.note_on(uuid), asked), row.unit_id, Conflict, BadInput)
        if done is None:
            return None
        if done.created:
            self.refunds.append((uuid, refund, done.issued.uuid))
            self.notes[done.issued.uuid] = refund
        return done.issued

    def note_on(self, uuid):
        return NoteRequest(OWNER, "tests", uuid)

    def tried(self, call, unit_id, *refusals):
        """What it gives, or None where it was refused for one of these reasons; then nothing was consumed."""
        before = self.world.heads()
        try:
            return call()
        except refusals:
            pass
        except Unavailable:
            if not self.may_be_unavailable(unit_id):
                raise
        assert self.world.heads() == before, "a refusal consumed a place in the chain"
        return None

    def refused(self, call, kind, unit_id):
        before = self.world.heads()
        try:
            call()
        except kind:
            pass
        except Unavailable:
            assert self.may_be_unavailable(unit_id)
        else:
            raise AssertionError(f"not refused as {kind.__name__}")
        assert self.world.heads() == before, "a refusal consumed a place in the chain"

    def attempt(self, call):
        """Whether a certificate came: the authority may refuse it for any of its faults."""
        try:
            call()
        except GatewayError:
            return False
        return True

    def may_be_unavailable(self, unit_id):
        return unit_id in self.revoked or bool(self.clock.skew) or self.clock.true() < self.doubt_until

    def is_held(self, unit):
        return self.ledger.held(OWNER, unit) is not None or any(
            row.held_for == "csid" and row.unit_id == unit for row in self.rows
        )

    def rows_now(self):
        return self.books.read().documents

    def row(self, uuid):
        return next(row for row in self.rows_now() if row.uuid == uuid)

    def replaced(self, uuid):
        return any(row.replaces == uuid for row in self.rows_now())

    def with_status(self, *wanted):
        return [row for row in self.rows if Status(row.status) in wanted]

    def of_kind(self, kind):
        return [row for row in self.rows if row.kind == kind.value]

    @staticmethod
    def picked(choices, pick):
        return choices[pick % len(choices)]
