"""The books: documents and their chains, what is sent and answered, who may and who did.

One embedded SQLite file, or a PostgreSQL server. The database itself refuses to change what was made; see the guards
in the migrations. The ledger knows neither XML, keys, the network nor the clock: bytes, ids and moments are handed in.
"""

from gateway.ledger.audit import SYSTEM
from gateway.ledger.breakers import BrokenLine
from gateway.ledger.deadlines import Backlog, Band, Crossing, HeldUnit, LastAnswer, Part
from gateway.ledger.ledger import Ledger
from gateway.ledger.moving import Moved, move
from gateway.ledger.onboardings import OnboardingRun, Purpose, Step
from gateway.ledger.queries import Filter
from gateway.ledger.revocations import KeptList
from gateway.ledger.role import role_sql
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
    Limits,
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
    Turn,
)
from gateway.ledger.sending import News
from gateway.ledger.trends import WarningTrend

__all__ = [
    "SYSTEM",
    "AllowedWarning",
    "ApiKey",
    "Appended",
    "Attempt",
    "AuditBreak",
    "AuditEntry",
    "Backlog",
    "Band",
    "BrokenLine",
    "Chain",
    "Cleared",
    "Crossing",
    "CsidRecord",
    "Due",
    "DueLinkBack",
    "DueNotice",
    "Endpoint",
    "ExternalNotes",
    "ExternalOriginal",
    "Filter",
    "HeldUnit",
    "KeptList",
    "LastAnswer",
    "Ledger",
    "Limits",
    "LinkBack",
    "LinkBackState",
    "Made",
    "Moved",
    "NewCsid",
    "NewSale",
    "News",
    "Notice",
    "NoticeState",
    "OnboardingRun",
    "Page",
    "Part",
    "Purpose",
    "Slot",
    "Snapshot",
    "Stage",
    "Step",
    "TakenOff",
    "Taxpayer",
    "Turn",
    "WarningTrend",
    "move",
    "role_sql",
]
