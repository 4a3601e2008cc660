"""What the running gateway may do on PostgreSQL: read and add everywhere, change only what is made to change."""

import re
from typing import Final

from gateway.errors import BadInput
from gateway.ledger.tables import METADATA

APPEND_ONLY: Final = frozenset(
    "document stamp attempt clearance audit audit_batch idempotency_key deduction warning archived disposed".split()
)
"""Rows that are never changed nor deleted once they stand; guards in the database hold it, and the role's rights."""

_IN_PART: Final = {
    "csid": ("retired_at", "revoked_at"),
    "chain": ("head_icv", "head_hash", "head_at", "sealed_at"),
    "sale": ("document_uuid",),
    "order_snapshot": ("order_json",),  # forgotten, once its time is over
    "legal_hold": ("lifted_at", "lifted_by"),
    "disposal": ("confirmed_by", "confirmed_at", "withdrawn_by", "withdrawn_at"),
    "stamping": ("next_at", "lease_until", "lease_by", "attempts", "error"),
    "taxpayer": ("name",),  # whoever begins an onboarding locks its row, which needs this right
    "audit": ("seq", "hash"),  # an entry gets its place when it is sealed, once: a guard holds that
}
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_DELETED: Final = ("allowed_warning", "envelope", "looks")


def role_sql(name: str, database: str) -> str:
    """SQL for the owner of the ledger's tables: a role for the gateway with as few rights as it can work with.

    It may be run again, and has to be after an upgrade that brought new tables. BadInput: no name for a role.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot be a role.", fix="Use small letters, digits and underscores.")
    known = f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"  # noqa: S608, a name of letters and digits
    base = '"' + database.replace('"', '""') + '"'
    return "\n".join(
        [
            f"-- The gateway's role: set its password with  \\password {name}",
            f"DO $$ BEGIN IF NOT EXISTS ({known}) THEN",
            f"  CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION; END IF; END $$;",
            f"REVOKE TEMPORARY ON DATABASE {base} FROM PUBLIC;",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {base} TO {name};",
            f"GRANT USAGE ON SCHEMA public TO {name};",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name};",
            f"GRANT SELECT ON ledger_version TO {name};",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name};",
            *(f'GRANT {_rights(table)} ON "{table}" TO {name};' for table in sorted(METADATA.tables)),
            "",
        ]
    )


def _rights(table: str) -> str:
    if table in _IN_PART:
        return f"SELECT, INSERT, UPDATE ({', '.join(_IN_PART[table])})"
    if table in APPEND_ONLY:
        return "SELECT, INSERT"
    return "SELECT, INSERT, UPDATE" + (", DELETE" if table in _DELETED else "")
