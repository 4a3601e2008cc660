"""What a package says of each thing, and which documents are in one."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.invoice.facts import RIYADH
from gateway.invoice.period import day_begins, day_ends, possible
from gateway.ledger import AuditBatch, AuditEntry, CsidRecord, ExportLink, iso


@dataclass(frozen=True)
class Scope:
    """Which documents are in a package; what is empty does not narrow it. `since` and `until` are the first and last
    day of issue (Riyadh), `buyer` a part of the name or the whole VAT number."""

    since: date | None = None
    until: date | None = None
    units: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    buyer: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "from": self.since and self.since.isoformat(),
            "to": self.until and self.until.isoformat(),
            "units": list(self.units),
            "status": list(self.statuses),
            "buyer": self.buyer,
        }

    @property
    def begins(self) -> datetime | None:
        """The first moment."""
        return day_begins(possible(self.since)) if self.since else None

    @property
    def ends(self) -> datetime | None:
        """The first moment after."""
        return day_ends(possible(self.until)) if self.until else None

    def leaves_out(self, link: ExportLink) -> str:
        """Why a document is not in: empty if it is."""
        issued = datetime.fromisoformat(link.issued_at)
        if (self.begins and issued < self.begins) or (self.ends and issued >= self.ends):
            return "period"
        if self.statuses and link.status not in self.statuses:
            return "status"
        if self.buyer and self.buyer != link.buyer_vat and self.buyer not in link.buyer_name:
            return "buyer"
        return "deleted" if link.deleted_at else ""


def link_facts(link: ExportLink) -> dict[str, Any]:
    """What is said of every document, and needs to be to prove its chain."""
    signature = base64.b64encode(link.signature).decode()
    return {
        "icv": link.icv, "uuid": link.uuid, "pih": link.pih, "hash": link.hash, "csid": link.csid_id,
        "signature": signature, "signed_at": link.signed_at, "status": link.status, "replaced_by": link.replaced_by,
    }  # fmt: skip


def document_facts(link: ExportLink) -> dict[str, Any]:
    """What is said of a document that is in, besides."""
    names = "number kind profile issued_at made_at currency total vat corrects replaces".split()
    return {**{name: getattr(link, name) for name in names}, "cleared": link.is_cleared}


def entry_facts(entry: AuditEntry) -> dict[str, Any]:
    """An entry of the audit log with all that its hash is made of (docs/reference/audit-log.md)."""
    return {
        "seq": entry.seq, "at": iso(entry.at), "actor": entry.actor, "action": entry.action, "object": entry.object,
        "detail": json.loads(json.dumps(entry.detail)), "hash": entry.hash,
    }  # fmt: skip


def batch_facts(batch: AuditBatch) -> dict[str, Any]:
    """A batch with all that its hash is made of but the taxpayer, which the manifest names."""
    return {name: value for name, value in batch._asdict().items() if name != "taxpayer_id"}


def csid_facts(csid: CsidRecord) -> dict[str, Any]:
    """What the manifest says of a unit's certificate."""

    def moment(value: datetime | None) -> str | None:
        return value.astimezone(UTC).isoformat() if value else None

    return {
        "id": csid.id, "stage": csid.stage, "unit": csid.unit_id, "chain": csid.chain_id,
        "path": f"certs/{csid.id}.pem",
        "not_before": moment(csid.not_before), "not_after": moment(csid.not_after),
        "retired_at": moment(csid.retired_at), "revoked_at": moment(csid.revoked_at),
    }  # fmt: skip


def pem(der: bytes) -> str:
    """A certificate (DER) in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def riyadh(moment: str) -> str:
    """A stored moment as people in Riyadh read it, to the second."""
    return datetime.fromisoformat(moment).astimezone(RIYADH).isoformat(sep=" ", timespec="seconds")[:19]
