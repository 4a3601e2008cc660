"""An entry of the audit log for programs."""

from typing import Any

from gateway.invoice.facts import RIYADH
from gateway.ledger import AuditEntry


def entry_json(entry: AuditEntry) -> dict[str, Any]:
    """Who did what to what, and when (Riyadh). `seq` is its place in the log and `hash` covers all up to there, once it
    is sealed."""
    return {
        "seq": entry.seq,
        "at": entry.at.astimezone(RIYADH).isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "detail": dict(entry.detail),
        "hash": entry.hash,
    }
