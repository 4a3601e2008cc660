"""The books: documents and their chains, what is sent and answered, who may and who did.

One embedded SQLite file, or a PostgreSQL server. The database itself refuses to change what was made; see the guards
in the migrations. The ledger knows neither XML, keys, the network nor the clock: bytes, ids and moments are handed in.
"""

from gateway.ledger.audit import SYSTEM
from gateway.ledger.ledger import Ledger
from gateway.ledger.onboardings import OnboardingRun, Purpose, Step
from gateway.ledger.queries import Filter
from gateway.ledger.revocations import KeptList
from gateway.ledger.rows import (
    AllowedWarning,
    ApiKey,
    Appended,
    Attempt,
    AuditBreak,
    AuditEntry,
    Chain,
    Cleared,
    CsidRecord,
    Due,
    DueLinkBack,
    DueNotice,
    Endpoint,
    ExternalNotes,
    ExternalOriginal,
    LinkBack,
    LinkBackState,
    Made,
    NewCsid,
    NewSale,
    Notice,
    NoticeState,
    Page,
    Slot,
    Snapshot,
    Stage,
    TakenOff,
    Taxpayer,
)

__all__ = [
    "SYSTEM",
    "AllowedWarning",
    "ApiKey",
    "Appended",
    "Attempt",
    "AuditBreak",
    "AuditEntry",
    "Chain",
    "Cleared",
    "CsidRecord",
    "Due",
    "DueLinkBack",
    "DueNotice",
    "Endpoint",
    "ExternalNotes",
    "ExternalOriginal",
    "Filter",
    "KeptList",
    "Ledger",
    "LinkBack",
    "LinkBackState",
    "Made",
    "NewCsid",
    "NewSale",
    "Notice",
    "NoticeState",
    "OnboardingRun",
    "Page",
    "Purpose",
    "Slot",
    "Snapshot",
    "Stage",
    "Step",
    "TakenOff",
    "Taxpayer",
]
