"""The books: documents and their chains, what is sent and answered, who may and who did.

One embedded SQLite file, or a PostgreSQL server. The database itself refuses to change what was made; see the guards
in the migrations. The ledger knows neither XML, keys, the network nor the clock: bytes, ids and moments are handed in.
"""

from gateway.ledger.access import is_to_be_touched
from gateway.ledger.appearance import EVERY_UNIT
from gateway.ledger.archiving import Archivable, ArchiveCounts, ArchivedFile, DueArchiving, Hold, Plan
from gateway.ledger.audit import SYSTEM, chained
from gateway.ledger.audit_pages import AuditFilter, AuditPage
from gateway.ledger.backup import RESTORED, Copied, back_up, put_back
from gateway.ledger.breakers import BrokenLine, News
from gateway.ledger.checkpoints import ChainAt, Checkpoint, CheckpointFiles, Line
from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.deadlines import Backlog, Band, Crossing, HeldUnit, LastAnswer, Part
from gateway.ledger.events import MAX_EVENTS, TYPES, Event, actions_of
from gateway.ledger.exporting import AuditSpan, ExportAnswer, ExportLink
from gateway.ledger.fencing import Fenced
from gateway.ledger.journal import Head, read_heads
from gateway.ledger.ledger import Ledger
from gateway.ledger.looking import ISSUED, ChainHead, Claim, Entry, Kept, Loose, Witnessed
from gateway.ledger.moving import Moved, move
from gateway.ledger.nights import CHECKPOINTS_BOOKMARK
from gateway.ledger.onboardings import OnboardingRun, Purpose, Step
from gateway.ledger.postings import FOR_A_PERSON, DuePosting, Posting, PostingState
from gateway.ledger.queries import Filter, cursor_of, read_cursor
from gateway.ledger.reconciling import BookedDocument, BookedEntry, UnservedOrder
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
    DuePoll,
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
    NewPosting,
    NewSale,
    Notice,
    NoticeState,
    Page,
    Polled,
    PostingMode,
    Slot,
    Snapshot,
    Stage,
    TakenOff,
    Taxpayer,
    Turn,
)
from gateway.ledger.sealing import LONG_UNSEALED, MOST, AuditBatch, Waiting, batch_fault, batch_hash, nothing_sealed
from gateway.ledger.taxed import Place, TaxedRow
from gateway.ledger.trends import WarningTrend
from gateway.ledger.webhooks import Delivery, DeliveryState, Webhook

__all__ = [
    "CHECKPOINTS_BOOKMARK",
    "EVERY_UNIT",
    "FOR_A_PERSON",
    "ISSUED",
    "LONG_UNSEALED",
    "MAX_EVENTS",
    "MOST",
    "RESTORED",
    "SYSTEM",
    "TYPES",
    "AllowedWarning",
    "ApiKey",
    "Appended",
    "Archivable",
    "ArchiveCounts",
    "ArchivedFile",
    "Attempt",
    "AuditBatch",
    "AuditBreak",
    "AuditEntry",
    "AuditFilter",
    "AuditPage",
    "AuditSpan",
    "Backlog",
    "Band",
    "BookedDocument",
    "BookedEntry",
    "BrokenLine",
    "Chain",
    "ChainAt",
    "ChainHead",
    "Checkpoint",
    "CheckpointFiles",
    "Claim",
    "Cleared",
    "Copied",
    "Crossing",
    "CsidRecord",
    "Delivery",
    "DeliveryState",
    "Due",
    "DueArchiving",
    "DueLinkBack",
    "DueNotice",
    "DuePoll",
    "DuePosting",
    "DueStamp",
    "Endpoint",
    "Entry",
    "Event",
    "ExportAnswer",
    "ExportLink",
    "ExternalNotes",
    "ExternalOriginal",
    "Fenced",
    "Filter",
    "Head",
    "HeldUnit",
    "Hold",
    "Kept",
    "KeptList",
    "Laid",
    "LastAnswer",
    "Ledger",
    "Limits",
    "Line",
    "LinkBack",
    "LinkBackState",
    "Loose",
    "Made",
    "Moved",
    "NewCsid",
    "NewPosting",
    "NewSale",
    "News",
    "Notice",
    "NoticeState",
    "OnboardingRun",
    "Page",
    "Part",
    "Place",
    "Plan",
    "Polled",
    "Posting",
    "PostingMode",
    "PostingState",
    "Purpose",
    "Slot",
    "Snapshot",
    "Stage",
    "Step",
    "TakenOff",
    "TaxedRow",
    "Taxpayer",
    "Turn",
    "UnservedOrder",
    "Waiting",
    "WarningTrend",
    "Webhook",
    "Witnessed",
    "actions_of",
    "back_up",
    "batch_fault",
    "batch_hash",
    "canonical_json",
    "chained",
    "cursor_of",
    "is_to_be_touched",
    "iso",
    "move",
    "nothing_sealed",
    "put_back",
    "read_cursor",
    "read_heads",
    "role_sql",
]
