"""Proof that an auditor can carry away: documents, answers, chains, audit log and certificates as one sealed package.

Where the chains end is fixed when it is begun; interrupted, it goes on with the same. A chain is always whole: of
documents that are left out, hash and signature are in, for only so it can be proved that nothing else is missing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from gateway import __version__
from gateway.archive import legal_name
from gateway.crl import read_issuers
from gateway.csid import read_certificate
from gateway.errors import BadInput, Unavailable, Unknown
from gateway.issued import Status
from gateway.ledger import ArchivedFile, AuditBatch, AuditSpan, CheckpointFiles, ExportAnswer, ExportLink
from gateway.package import Writer, index_page, index_row, index_rows_page, index_titles, make_seal, spoken
from gateway.pipeline.archive import PDF, ending_of, read_archived
from gateway.pipeline.export_facts import (
    Scope,
    batch_facts,
    csid_facts,
    document_facts,
    entry_facts,
    link_facts,
    pem,
    riyadh,
)
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.seal import Sealer
from gateway.verifier import single_file
from gateway.verifier.books import canonical
from gateway.verifier.verify import FORMAT, MANIFEST, SEAL, VERSIONS

SEGMENT: Final = 500
"""Links in one file of a chain, and documents on one page of the index."""
_AT_ONCE: Final = 100
"""Documents that are in memory together, with their answers some 6 MB."""
_ENTRIES: Final = 5000
_MOST_GAPS: Final = 1000
CHECKPOINT: Final = "audit/checkpoint"


class Exported(NamedTuple):
    """A package that is whole: how many documents and files are in, and who sealed it (SHA-256 fingerprint, hex)."""

    path: Path
    documents: int
    files: int
    went_on: bool
    manifest: str


@dataclass
class _Counted:
    """What is counted on the way, kept in the marks so that it survives an interruption."""

    phase: int = 0
    chain: int = 0
    icv: int = 0
    seq: int = 0
    page: int = 0
    documents: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    in_chain: dict[str, int] = field(default_factory=dict)
    last_number: dict[str, int] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)


def export(
    gateway: Gateway,
    taxpayer_id: str,
    scope: Scope,
    path: Path,
    *,
    actor: str,
    anew: bool = False,
    tell: Callable[[int], None] = lambda links: None,
) -> Exported:
    """Write a package, or go on with it; `tell` hears of links that are done.

    BadInput: a unit or status that is none. Unknown: no document is of this kind, and nothing is left of the package.
    Conflict: see Writer. Unavailable: the disk is full, say; the same call goes on.
    """
    head = {"what": {"taxpayer": taxpayer_id, "scope": scope.as_json()}, **_heads(gateway, taxpayer_id, scope)}
    with Writer(path, head, anew=anew) as writer:
        went_on = writer.goes_on
        work = _Export(gateway, taxpayer_id, scope, writer, tell)
        work.statics()
        work.chains()
        if work.is_empty:
            writer.drop()
            raise _nothing()
        work.audit()
        work.batches()
        work.index()
        manifest = work.seal()
        writer.finish()
    counted = work.counted
    done = Exported(path, counted.documents, work.files, went_on, hashlib.sha256(manifest).hexdigest())
    said = {"scope": scope.as_json(), "documents": done.documents, "manifest": done.manifest}
    gateway.note(taxpayer_id, actor, "package.exported", taxpayer_id, **said)
    return done


def _nothing() -> Unknown:
    return Unknown(
        "Nothing that was issued is of this kind, so there is no package.",
        fix="Look at the days, units, statuses and the spelling of the buyer.",
        ar="لا يوجد مستند مطابق لما طُلب، فلم تُعدّ أي حزمة. راجع الفترة والوحدات والحالات وكتابة اسم المشتري.",
    )


def _heads(gateway: Gateway, taxpayer_id: str, scope: Scope) -> dict[str, Any]:
    """Where everything ends that goes into the package, fixed once."""
    ledger = gateway.ledger
    units = [each.id for each in ledger.units(taxpayer_id)]
    if unknown := set(scope.units) - set(units):
        raise BadInput(f"There is no unit {min(unknown)}.", fix="`gateway units` lists them.")
    if unknown := set(scope.statuses) - {each.value for each in Status}:
        raise BadInput(f"There is no status {min(unknown)}.", fix=f"One of: {', '.join(Status)}.")
    waiting, said = ledger.unstamped(taxpayer_id)
    if waiting:
        raise Unavailable(
            f"Documents that wait for their stamp: {waiting}. Without them a chain would not be whole. {said}".rstrip(),
            fix="Ask again when the signer has answered.",
            ar="توجد مستندات بانتظار الختم، ولا تكتمل السلسلة بدونها. أعد المحاولة بعد ختمها.",
        )
    made_at, sealer = gateway.now().astimezone(UTC).isoformat(), Sealer(gateway)
    sealer.finish()  # with a checkpoint, which is then not ahead of these heads
    checkpoint = _checkpoint(gateway, taxpayer_id)
    fenced = {each.chain: each for each in ledger.fenced()}
    chains: list[dict[str, Any]] = []
    for unit in units:
        for chain in ledger.chains(taxpayer_id, unit) if not scope.units or unit in scope.units else ():
            head = {"icv": chain.head.icv - 1, "hash": chain.head.pih}
            sealed = chain.sealed_at and chain.sealed_at.astimezone(UTC).isoformat()
            lost = fenced[chain.id].journal if chain.id in fenced else None
            known = {"icv": lost.icv, "hash": lost.hash} if lost else None
            chains.append({"id": chain.id, "unit": unit, "head": head, "sealed_at": sealed, "lost_after_head": known})
    sealer.seal()  # so that the log has every document up to these heads
    span = ledger.audit_span(taxpayer_id, scope.begins, scope.ends)
    return {
        "chains": chains,
        "certificates": list(_certificates(gateway, taxpayer_id, [each["id"] for each in chains])),
        "audit": span._asdict(),
        "checkpoint": checkpoint,
        "made_at": made_at,
    }


def _checkpoint(gateway: Gateway, taxpayer_id: str) -> str:
    """The newest signed checkpoint of the taxpayer, as it stands in its file; empty if there is none."""
    return CheckpointFiles(gateway.settings.checkpoints_folder).newest(taxpayer_id)


def _certificates(gateway: Gateway, taxpayer_id: str, chains: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The units' certificates, and the authority's as far as they are set."""
    for chain in chains:
        for csid in gateway.ledger.serving(taxpayer_id, chain):
            yield {**csid_facts(csid), "pem": pem(read_certificate(csid.certificate.encode()).der)}
    issuers = gateway.settings.authority_ca
    for number, issuer in enumerate(read_issuers(issuers.read_bytes()) if issuers else (), 1):
        facts = {"id": f"authority-{number}", "stage": "authority", "path": f"certs/authority-{number}.pem"}
        yield {**facts, "pem": issuer.public_bytes(Encoding.PEM).decode()}


class _Export:
    """One package on its way, phase after phase."""

    def __init__(
        self, gateway: Gateway, taxpayer_id: str, scope: Scope, writer: Writer, tell: Callable[[int], None]
    ) -> None:
        self._gateway, self._owner, self._scope, self._writer, self._tell = gateway, taxpayer_id, scope, writer, tell
        self._taxpayer = next(each for each in gateway.ledger.taxpayers() if each.id == taxpayer_id)
        self._chains: list[dict[str, Any]] = writer.head["chains"]
        self._span = AuditSpan(**writer.head["audit"])
        self._certificates: list[dict[str, Any]] = writer.head["certificates"]
        state = {name: value for name, value in writer.state.items() if name in _Counted.__dataclass_fields__}
        self.counted = _Counted(**state)
        self.files = 0

    def _mark(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.counted, name, value)
        self._writer.mark(vars(self.counted))

    # --- what is the same in every package ----------------------------------------------------------------------------

    def statics(self) -> None:
        """The verifier, a page that says how to use it, and certificates."""
        if self.counted.phase > 0:
            return
        self._writer.add("README.txt", resources.files("gateway.package").joinpath("README.txt").read_bytes())
        self._writer.add("verify.py", single_file())
        for each in self._certificates:
            self._writer.add(each["path"], each["pem"].encode())
        if checkpoint := self._writer.head["checkpoint"]:
            self._writer.add(CHECKPOINT, checkpoint.encode())
        self._writer.add_row(index_titles())
        self._mark(phase=1)

    @property
    def is_empty(self) -> bool:
        """Whether what was asked for fits no document: a name mistyped, say. What was deleted lawfully is shown to be,
        and a package of everything shows that there is nothing."""
        is_narrow = any(self._scope.as_json().values())
        is_deleted = any("deleted" in reasons for reasons in self.counted.left_out.values())
        return is_narrow and not self.counted.documents and not is_deleted

    # --- chains and documents -----------------------------------------------------------------------------------------

    def chains(self) -> None:
        """Every chain to its head, with the documents that are in."""
        if self.counted.phase > 1:
            return
        for number in range(self.counted.chain, len(self._chains)):
            chain = self._chains[number]
            while links := self._links(chain):
                self._segment(chain, links)
                self._mark(icv=links[-1].icv)
                self._tell(len(links))
            self._mark(chain=number + 1, icv=0)
        self._mark(phase=2)

    def _links(self, chain: Mapping[str, Any]) -> tuple[ExportLink, ...]:
        after, until = self.counted.icv, chain["head"]["icv"]
        return self._gateway.ledger.export_links(self._owner, chain["id"], after=after, until=until, limit=SEGMENT)

    def _segment(self, chain: Mapping[str, Any], links: Sequence[ExportLink]) -> None:
        lines, rows = [], []
        for at in range(0, len(links), _AT_ONCE):
            some = links[at : at + _AT_ONCE]
            wanted = [each for each in some if not self._scope.leaves_out(each)]
            parts = _Parts(self._gateway, self._owner, self._taxpayer.vat, [each.uuid for each in wanted])
            for link in some:
                said = self._said(chain, link, parts)
                lines.append(canonical(said) + b"\n")
                if said["file"]:
                    rows.append({**link._asdict(), "issued_at": riyadh(link.issued_at), "file": said["file"]["path"]})
        self._writer.add(f"chains/{chain['id']}/{links[0].icv:010}.jsonl", b"".join(lines))
        if rows:
            self._page(rows)

    def _said(self, chain: Mapping[str, Any], link: ExportLink, parts: "_Parts") -> dict[str, Any]:
        """A link as the package has it; what belongs to it is put in on the way."""
        left_out = self._scope.leaves_out(link)
        said = link_facts(link)
        counted = self.counted
        if left_out:
            reasons = counted.left_out.setdefault(chain["id"], {})
            reasons[left_out] = reasons.get(left_out, 0) + 1
            deleted = {"at": link.deleted_at, "sha256": link.archived_sha256} if link.deleted_at else None
            return {**said, "file": None, "left_out": left_out, "deleted": deleted}
        self._mind_number(chain["unit"], link)
        counted.documents += 1
        counted.statuses[link.status] = counted.statuses.get(link.status, 0) + 1
        counted.in_chain[chain["id"]] = counted.in_chain.get(chain["id"], 0) + 1
        return {**said, **document_facts(link), "left_out": None, **parts.put(link, self._writer)}

    def _mind_number(self, unit: str, link: ExportLink) -> None:
        """Numbers of the unit's own series that are skipped: lost with a ledger that was restored, say."""
        digits = link.number.rpartition("-")[2]
        if link.replaces or not digits.isdecimal() or self._scope.as_json()["status"] or self._scope.buyer:
            return
        last, number = self.counted.last_number.get(unit), int(digits)
        if last is not None and number > last + 1 and len(self.counted.gaps) < _MOST_GAPS:
            self.counted.gaps.append({"unit": unit, "before": link.number, "missing": number - last - 1})
        self.counted.last_number[unit] = max(number, last or 0)

    def _page(self, rows: list[dict[str, Any]]) -> None:
        self.counted.page += 1
        name = f"index/{self.counted.page:06}.html"
        for row in rows:
            self._writer.add_row(index_row(row))
        first, last = rows[0]["number"], rows[-1]["number"]
        self._writer.add(name, index_rows_page(f"{first} – {last}", rows))
        self.counted.pages.append([name, first, last, len(rows)])

    # --- the audit log ------------------------------------------------------------------------------------------------

    def audit(self) -> None:
        """The span of the audit log, in parts."""
        if self.counted.phase > 2:
            return
        span, last = self._span, max(self.counted.seq, self._span.first - 1)
        lines: list[bytes] = []
        for entry in self._gateway.ledger.audit_log(self._owner, after=last) if span.first else ():
            if entry.seq is None or entry.seq > span.last:
                break
            lines.append(canonical(entry_facts(entry)) + b"\n")
            if len(lines) == _ENTRIES or entry.seq == span.last:
                self._writer.add(f"audit/entries/{entry.seq - len(lines) + 1:010}.jsonl", b"".join(lines))
                self._mark(seq=entry.seq)
                lines = []
        self._mark(phase=3)

    def _audit_facts(self) -> dict[str, Any]:
        span, checkpoint = self._span, {"path": CHECKPOINT} if self._writer.head["checkpoint"] else None
        if not span.first:
            none = {"first_batch": 1, "before_batch": "", "checkpoint": checkpoint}
            return {"first": 1, "last": 0, "entries": 0, "previous": "", "head": "", **none}
        head = self._gateway.ledger.entry_hash_at(self._owner, span.last)
        entries = span.last - span.first + 1
        return {
            "first": span.first,
            "last": span.last,
            "entries": entries,
            "previous": span.previous,
            "head": head,
            "first_batch": span.first_batch,
            "before_batch": span.before_batch,
            "checkpoint": checkpoint,
        }

    def batches(self) -> None:
        """The batches that this span was sealed by, and those after."""
        if self.counted.phase > 3:
            return
        sealed: Iterator[AuditBatch] = iter(())
        if self._span.first_batch:
            sealed = self._gateway.ledger.audit_batches(self._owner, after=self._span.first_batch - 1)
        wanted = takewhile(lambda batch: batch.number <= self._span.last_batch, sealed)
        while some := list(islice(wanted, _ENTRIES)):
            lines = (canonical(batch_facts(each)) + b"\n" for each in some)
            self._writer.add(f"audit/batches/{some[0].number:010}.jsonl", b"".join(lines))
        self._mark(phase=4)

    # --- index, manifest, seal ----------------------------------------------------------------------------------------

    def index(self) -> None:
        """The index as a table and as pages."""
        if self.counted.phase > 4:
            return
        self._writer.add_rows("index.csv")
        self._writer.add("index.html", index_page(self._taxpayer.name, self._facts(), self.counted.pages))
        self._mark(phase=5)

    def _facts(self) -> Iterator[tuple[str, str, object]]:
        asked = [f"{name} {value}" for name, value in self._scope.as_json().items() if value]
        counted = self.counted
        yield "VAT number", "الرقم الضريبي", self._taxpayer.vat
        yield "Made", "أُعدّت", riyadh(self._writer.head["made_at"])
        yield "What was asked for", "النطاق", ", ".join(asked) or "everything / الكل"
        yield "Documents", "المستندات", counted.documents
        for status, count in sorted(counted.statuses.items()):
            arabic, _, english = spoken("status", status).partition(" / ")
            yield f"of these {english or status}", f"منها {arabic}", count
        for chain in self._chains:
            left = sum(counted.left_out.get(chain["id"], {}).values())
            yield (
                f"Chain of {chain['unit']}",
                f"سلسلة {chain['unit']}",
                (
                    f"1–{chain['head']['icv']}"
                    + (f"; {left} ليست هنا وبصماتها هنا / not here, their hashes are" if left else "")
                ),
            )
        for gap in counted.gaps:
            yield "Numbers skipped", "أرقام متجاوزة", f"{gap['missing']} before {gap['before']}"

    def seal(self) -> bytes:
        """List, manifest and seal; the manifest."""
        files = self._writer.add_list()
        self.files = files["count"]
        manifest = canonical(self._manifest(files))
        self._writer.add(MANIFEST, manifest, is_listed=False, is_packed=False)
        seal = make_seal(manifest, *self._gateway.sealing_key().for_xades)
        self._writer.add(SEAL, seal, is_listed=False, is_packed=False)
        return manifest

    def _manifest(self, files: dict[str, Any]) -> dict[str, Any]:
        counted, owner = self.counted, self._taxpayer
        return {
            "format": FORMAT,
            "version": VERSIONS[-1],
            "software": f"gateway {__version__}",
            "made_at": self._writer.head["made_at"],
            "taxpayer": {"id": owner.id, "name": owner.name, "vat": owner.vat},
            "scope": self._scope.as_json(),
            "documents": counted.documents,
            "status": counted.statuses,
            "chains": [self._chain_facts(each) for each in self._chains],
            "number_gaps": counted.gaps,
            "certificates": [{name: each[name] for name in each if name != "pem"} for each in self._certificates],
            "audit": self._audit_facts(),
            "files": files,
        }

    def _chain_facts(self, chain: dict[str, Any]) -> dict[str, Any]:
        counted = self.counted
        left_out, documents = counted.left_out.get(chain["id"], {}), counted.in_chain.get(chain["id"], 0)
        return {**chain, "documents": documents, "left_out": left_out}


class _Parts:
    """The files of some documents, read together."""

    def __init__(self, gateway: Gateway, owner: str, vat: str, uuids: list[str]) -> None:
        self._gateway, self._vat = gateway, vat
        self._xml = gateway.ledger.export_documents(owner, uuids)
        self._answers: dict[str, list[ExportAnswer]] = {}
        for answer in gateway.ledger.export_answers(owner, uuids):
            self._answers.setdefault(answer.uuid, []).append(answer)
        self._archived = gateway.ledger.archived(owner, uuids)

    def put(self, link: ExportLink, writer: Writer) -> dict[str, Any]:
        """Put a document's files into the package; what its link says of them."""
        name = legal_name(self._vat, datetime.fromisoformat(link.issued_at), link.number, link.uuid)
        document = f"documents/{name}.xml"
        writer.add(document, self._xml[link.uuid])
        answers = [self._answer(each, name, writer) for each in self._answers.get(link.uuid, ())]
        return {"file": {"path": document}, "answers": answers, "pdf": self._pdf(link.uuid, name, writer)}

    def _answer(self, answer: ExportAnswer, name: str, writer: Writer) -> dict[str, Any]:
        path = f"answers/{name}{ending_of(f'answer-{answer.number}')}" if answer.body else None
        if path and answer.body:
            writer.add(path, answer.body)
        return {"path": path, "at": answer.at, "http_status": answer.http_status, "outcome": answer.outcome}

    def _pdf(self, uuid: str, name: str, writer: Writer) -> dict[str, Any] | None:
        kept: ArchivedFile | None = next((each for each in self._archived.get(uuid, ()) if each.name == PDF), None)
        if kept is None or kept.disposed_at:
            return None
        writer.add(f"pdf/{name}.pdf", read_archived(self._gateway, kept))
        return {"path": f"pdf/{name}.pdf"}
