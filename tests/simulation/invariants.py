"""What must hold of a ledger at every moment, whatever was done to it: I1 to I13 of the reliability goals.

Read from the tables themselves and judged as far as can be by code that makes no documents: the simulator's reading of
hash and signature, and plain sums. Nothing here changes anything.
"""

import hashlib
import itertools
from collections import Counter, defaultdict
from decimal import Decimal
from functools import lru_cache

from cryptography import x509
from sqlalchemy import select

from gateway import rules, stamp, ubl
from gateway.chain import FIRST_PIH
from gateway.csid import read_certificate
from gateway.errors import NotCleared
from gateway.invoice.facts import Kind, Profile
from gateway.issued import REPORTING_WINDOW, Status
from gateway.ledger import tables as t
from gateway.ledger.audit import entry_hash
from gateway.pipeline.deadlines import level
from gateway.pipeline.proof import LATENESS
from gateway.pipeline.seal import Sealer
from gateway.pipeline.share import buyers_copy
from gateway.simulator.document import Document
from gateway.simulator.judge import seal_remarks

ACCEPTED = {Status.CLEARED, Status.REPORTED}
_DOCUMENTS = (
    select(
        t.DOCUMENT, t.STAMP.c.xml, t.STAMP.c.csid_id, t.STAMP.c.signed_at, t.SUBMISSION.c.status,
        t.SUBMISSION.c.alarmed, t.SUBMISSION.c.shared_at, t.SUBMISSION.c.held_for, t.SUBMISSION.c.endpoint,
        t.SUBMISSION.c.findings,
        t.CLEARANCE.c.xml.label("cleared"),
    )
    .join_from(t.DOCUMENT, t.STAMP, t.STAMP.c.document_uuid == t.DOCUMENT.c.uuid)
    .join(t.SUBMISSION, t.SUBMISSION.c.document_uuid == t.DOCUMENT.c.uuid)
    .outerjoin(t.CLEARANCE, t.CLEARANCE.c.document_uuid == t.DOCUMENT.c.uuid)
    .order_by(t.DOCUMENT.c.chain_id, t.DOCUMENT.c.icv)
)  # fmt: skip


class Books:
    """All rows of one taxpayer at one moment."""

    def __init__(self, ledger, owner):
        def rows(wanted, table):
            return connection.execute(wanted.where(table.c.taxpayer_id == owner)).all()

        with ledger._database.reading() as connection:
            self.documents = rows(_DOCUMENTS, t.DOCUMENT)
            self.chains = {row.id: row for row in rows(select(t.CHAIN), t.CHAIN)}
            self.csids = {row.id: row for row in rows(select(t.CSID), t.CSID)}
            self.sales = rows(select(t.SALE), t.SALE)
            self.attempts = rows(select(t.ATTEMPT), t.ATTEMPT)
            self.deductions = rows(select(t.DEDUCTION), t.DEDUCTION)
        self.by_uuid = {row.uuid: row for row in self.documents}
        self.of_chain, self.of_sale = defaultdict(list), defaultdict(list)
        for row in self.documents:
            self.of_chain[row.chain_id].append(row)
            self.of_sale[row.sale_id].append(row)


class Invariants:
    """`check` after every step: AssertionError names the invariant that broke. What was seen before is remembered, so
    that nothing may change or vanish, and no bytes are judged twice. `authority` is the simulator's state, where the
    documents go to one; `warned` is the moment up to which alarms were raised."""

    def __init__(self, gateway, owner, authority=None):
        self.gateway, self.owner, self.authority = gateway, owner, authority
        self._digests, self._sent, self._audited = {}, {}, (0, "")
        self._made, self._copies = [], {}

    def read(self):
        """All there is on record now."""
        return Books(self.gateway.ledger, self.owner)

    def check(self, *, drained=False, warned=None):
        """All of them. `drained`: nothing is left to send, so the authority has all that can be accepted."""
        books = self.read()
        for check in (_chained, _timely, _one_live_document, _notes_within_originals):
            check(books)
        for row in books.documents:
            self._unchanged_and_proved(books, row)
            self._buyers_copy(row)
            if warned is not None:
                _alarmed(books, row, warned)
        self._same_bytes_sent(books)
        self._audit_log(books, wholly=drained)
        if self.authority is not None:
            self._authority_agrees(books, drained=drained)
        return books

    # -- I3, I4, I7: once for each document, for its bytes never change

    def _unchanged_and_proved(self, books, row):
        digest = hashlib.sha256(row.xml).hexdigest()
        known = self._digests.get(row.uuid)
        if known is None:
            _proved(books, row)
            self._digests[row.uuid] = digest
        assert known in (None, digest), f"I3: the bytes of {row.number} changed"
        assert not set(self._digests) - set(books.by_uuid), "I1: a document vanished"

    # -- I6

    def _same_bytes_sent(self, books):
        for row in books.attempts:
            if row.phase == "begun":
                digest = self._sent.setdefault(row.document_uuid, row.wire["sha256"])
                assert digest == row.wire["sha256"], f"I6: {row.document_uuid} was sent with other bytes"
        if self.authority is None:
            return
        for each in self.authority.exchanges:
            if each.endpoint.startswith("invoices/") and each.uuid in self._sent:
                assert each.sent == self._sent[each.uuid], f"I6: {each.uuid} came to the authority with other bytes"

    # -- I8

    def _authority_agrees(self, books, *, drained):
        ours = {row.hash: row for row in books.documents}
        theirs = Counter(each.hash for each in self.authority.accepted)
        assert set(theirs) <= set(ours), "I8: the authority accepted a document that is not ours"
        assert set(theirs.values()) <= {1}, "I8: the authority accepted a document twice"
        for sale in books.of_sale.values():
            accepted = [row.number for row in sale if row.hash in theirs]
            assert len(accepted) <= 1, f"I5: the authority accepted {accepted} for one sale"
        for row in books.documents:
            status, is_there = Status(row.status), row.hash in theirs
            refused = {each["rule"] for each in row.findings}
            assert "BR-KSA-04" not in refused, f"I7: {row.number} was dated in the authority's future"
            assert is_there or status not in ACCEPTED, f"I8: {row.number} is {status}, the authority has it not"
            assert not is_there or status not in (Status.REJECTED, Status.REPLACED), f"I8: {row.number} was accepted"
            # Of what a revoked certificate stamped, the authority says nothing any more.
            is_settled = drained and is_there and books.csids[row.csid_id].revoked_at is None
            assert status in ACCEPTED or not is_settled, f"I8: {row.number} is {status}, though accepted"

    # -- I10

    def _buyers_copy(self, row):
        """Asked again once the document stands elsewhere."""
        state = (row.status, row.endpoint, row.shared_at, row.cleared is None)
        if Profile(row.profile) is not Profile.STANDARD or self._copies.get(row.uuid) == state:
            return
        self._copies[row.uuid] = state
        if Status(row.status) is Status.CLEARED:
            assert row.cleared is not None, f"I10: {row.number} is cleared without the authority's copy"
            assert Document.read(row.cleared).hash_text == row.hash, f"I10: the cleared copy of {row.number} is another"
        try:
            copy = buyers_copy(self.gateway, self.owner, row.uuid, actor="invariants")
        except NotCleared:
            assert Status(row.status) not in ACCEPTED, f"I10: {row.number} is accepted, and kept from its buyer"
            return
        assert Status(row.status) in ACCEPTED or copy.uncleared, f"I10: {row.number} was shared before its clearance"
        expected = row.xml if row.endpoint == "reporting" and row.cleared is None else row.cleared
        assert copy.uncleared or copy.xml == expected, f"I10: buyers of {row.number} get another document"

    # -- I13

    def _audit_log(self, books, *, wholly):
        """Of each look only what is new, and at the end all of it."""
        Sealer(self.gateway).seal()
        seq, digest = self._audited
        for entry in self.gateway.ledger.audit_log(self.owner, after=seq):
            assert entry.seq == seq + 1, "I13: the audit log is broken"
            assert entry.hash == entry_hash(entry, seq=entry.seq, previous=digest), "I13: the audit log was changed"
            seq, digest = entry.seq, entry.hash
            if entry.action == "document.issued":
                self._made.append(entry.object)
        self._audited = seq, digest
        assert sorted(self._made) == sorted(books.by_uuid), "I13: documents and audit log differ"
        if wholly:
            assert list(self.gateway.ledger.audit_breaks(self.owner)) == [], "I13: the audit log is broken"
            assert sum(1 for _ in self.gateway.ledger.audit_log(self.owner)) == seq, "I13: the audit log was cut off"
            assert self.gateway.ledger.last_audit_batch(self.owner).digest == digest, "I13: its last batch is another"


def _chained(books):
    """I1, I2, and that the head is where the documents end."""
    for chain_id, chain in books.chains.items():
        previous = FIRST_PIH
        for due, row in enumerate(books.of_chain[chain_id], 1):
            assert row.icv == due, f"I1: counter {due} was due in {chain_id}, {row.icv} stands there"
            assert row.pih == previous, f"I2: {row.number} does not carry the hash of the one before"
            previous = row.hash
        assert (chain.head_icv, chain.head_hash) == (len(books.of_chain[chain_id]), previous), "I1: the head is wrong"
    numbers = Counter(row.number for row in books.documents if row.replaces is None)
    assert not numbers or max(numbers.values()) == 1, "I1: an invoice number was used twice"


def _timely(books):
    """I9."""
    for documents in books.of_chain.values():
        for before, after in itertools.pairwise(documents):
            assert before.made_at <= after.made_at, f"I9: {after.number} was made before {before.number}"
        for row in documents:
            first = books.by_uuid[row.replaces].issued_at if row.replaces else row.made_at.replace(microsecond=0)
            assert row.issued_at == first, f"I9: {row.number} bears {row.issued_at}, not {first}"


def _one_live_document(books):
    """I5, of our own records."""
    for sale in books.sales:
        rows = books.of_sale[sale.id]
        live = [row.uuid for row in rows if Status(row.status) is not Status.REPLACED]
        assert live == [sale.document_uuid], f"I5: the live documents of {sale.thing} are {live}"
        assert sum(Status(row.status) in ACCEPTED for row in rows) <= 1, f"I5: {sale.thing} was accepted twice"


def _notes_within_originals(books):
    """I12: what credit notes and deductions that stand take of a document is no more than it came to."""
    taken = defaultdict(Decimal)
    for row in books.documents:
        if row.corrects is None:
            continue
        assert row.corrects in books.by_uuid, f"I12: {row.number} corrects a document that is not there"
        if Kind(row.kind) is Kind.CREDIT_NOTE and Status(row.status) is not Status.REPLACED:
            taken[books.by_uuid[row.corrects].sale_id] += row.total
    for each in books.deductions:
        if Status(books.by_uuid[each.document_uuid].status) is not Status.REPLACED:
            amount = sum((Decimal(part["taxable"]) + Decimal(part["vat"]) for part in each.parts), Decimal(0))
            taken[books.by_uuid[each.prepayment_uuid].sale_id] += amount
    for sale_id, amount in taken.items():
        total = max(_with_vat(row.xml) for row in books.of_sale[sale_id])
        assert amount <= total, f"I12: {amount} was taken of sale {sale_id}, which came to {total}"


@lru_cache(maxsize=10_000)
def _with_vat(xml):
    """BT-112: what was paid before is part of it, and may be given back with the rest."""
    return ubl.read(xml).invoice.with_vat


def _proved(books, row):
    """I2 to I4 and I7, of the bytes themselves."""
    csid, document = books.csids[row.csid_id], Document.read(row.xml)
    certificate = read_certificate(csid.certificate.encode())
    assert row.hash == document.hash_text == stamp.invoice_hash(row.xml), f"I3: {row.number} hashes to something else"
    found = ubl.read(row.xml)
    assert (found.link.icv, found.link.pih) == (row.icv, row.pih), f"I2: {row.number} says another place in the chain"
    assert (document.uuid, found.heading.number) == (row.uuid, row.number), f"I3: {row.number} bears another name"
    signer = x509.load_der_x509_certificate(certificate.der)
    assert list(seal_remarks(document, signer)) == [], f"I4: the stamp of {row.number} is not that of its certificate"
    assert csid.chain_id == row.chain_id, f"I4: {row.number} bears a certificate of another chain"
    assert csid.not_before <= row.signed_at <= csid.not_after, f"I4: {row.number} was stamped out of season"
    for ended in (csid.retired_at, csid.revoked_at):
        assert ended is None or row.signed_at <= ended, f"I4: {row.number} was stamped after its certificate's end"
    report = rules.check(row.xml, now=row.made_at, certificate=certificate, pih=row.pih)
    broken = {each.rule for each in (*report.xsd, *report.findings)} - {LATENESS}
    assert broken <= {each["rule"] for each in row.allowed}, f"I7: {row.number} breaks {sorted(broken)}"


def _alarmed(books, row, warned):
    """I11: until it is accepted, a document that is late was alarmed; and so was one that came too late."""
    status, profile = Status(row.status), Profile(row.profile)
    if status is Status.REPLACED:
        return
    if status not in ACCEPTED:
        due = level(profile, row.issued_at, warned)
    elif profile is Profile.SIMPLIFIED:
        ended = [each.at for each in books.attempts if each.document_uuid == row.uuid and each.phase == "ended"]
        due = 24 if max(ended) - row.issued_at >= REPORTING_WINDOW else 0
    else:
        return
    assert row.alarmed >= due, f"I11: {row.number} is {due} h old and was alarmed for {row.alarmed} h"
