"""The books: documents and their chains, what is sent and answered, who may and who did.

One embedded SQLite file, or a PostgreSQL server. The database itself refuses to change what was made; see the guards
in the migrations. The ledger knows neither XML, keys, the network nor the clock: bytes, ids and moments are handed in.
"""

from gateway.ledger.access import is_to_be_touched
from gateway.ledger.audit import SYSTEM, chained
from gateway.ledger.backup import Copied, back_up, put_back
from gateway.ledger.breakers import BrokenLine, News
from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.deadlines import Backlog, Band, Crossing, HeldUnit, LastAnswer, Part
from gateway.ledger.fencing import Fenced
from gateway.ledger.journal import Head, read_heads
from gateway.ledger.ledger import Ledger
from gateway.ledger.looking import ISSUED, ChainHead, Claim, Entry, Kept, Loose, Witnessed
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
    DueStamp,
    Endpoint,
    ExternalNotes,
    ExternalOriginal,
    Laid,
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
from gateway.ledger.sealing import LONG_UNSEALED, MOST, AuditBatch, Waiting, batch_hash
from gateway.ledger.trends import WarningTrend

__all__ = [
    "ISSUED",
    "LONG_UNSEALED",
    "MOST",
    "SYSTEM",
    "AllowedWarning",
    "ApiKey",
    "Appended",
    "Attempt",
    "AuditBatch",
    "AuditBreak",
    "AuditEntry",
    "Backlog",
    "Band",
    "BrokenLine",
    "Chain",
    "ChainHead",
    "Claim",
    "Cleared",
    "Copied",
    "Crossing",
    "CsidRecord",
    "Due",
    "DueLinkBack",
    "DueNotice",
    "DueStamp",
    "Endpoint",
    "Entry",
    "ExternalNotes",
    "ExternalOriginal",
    "Fenced",
    "Filter",
    "Head",
    "HeldUnit",
    "Kept",
    "KeptList",
    "Laid",
    "LastAnswer",
    "Ledger",
    "Limits",
    "LinkBack",
    "LinkBackState",
    "Loose",
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
    "Waiting",
    "WarningTrend",
    "Witnessed",
    "back_up",
    "batch_hash",
    "canonical_json",
    "chained",
    "is_to_be_touched",
    "iso",
    "move",
    "put_back",
    "read_heads",
    "role_sql",
]
