"""How connected ERPs stand, and their postings as programs read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import structlog

from gateway.connection import Connection
from gateway.erps import ERPS
from gateway.erps.erp import post_when
from gateway.finding import Text
from gateway.invoice.facts import RIYADH
from gateway.ledger import FOR_A_PERSON, Posting, PostingState
from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

KEY_ENDS_SOON: Final = timedelta(days=14)
"""How long before a key ends it is told: time for whoever may make another."""


@dataclass(frozen=True, slots=True)
class ErpStanding:
    """An ERP's connection, how many of its postings stand how, and what is wrong with its key."""

    connection: Connection
    when: str
    due: int
    done: int
    waiting: int
    wrong: Text | None


def standing_of(gateway: Gateway, taxpayer_id: str) -> tuple[ErpStanding, ...]:
    """A taxpayer's ERPs."""
    counts = gateway.ledger.posting_counts(taxpayer_id)
    today = gateway.now().astimezone(RIYADH).date()
    return tuple(
        _standing(each, counts, today) for each in gateway.ledger.connections(taxpayer_id) if each.platform in ERPS
    )


def _standing(connection: Connection, counts: dict[tuple[str, PostingState], int], today: date) -> ErpStanding:
    count = {state: counts.get((connection.id, state), 0) for state in PostingState}
    return ErpStanding(
        connection=connection,
        when=post_when(connection).value,
        due=count[PostingState.DUE],
        done=count[PostingState.DONE],
        waiting=sum(count[state] for state in FOR_A_PERSON),
        wrong=key_warning(connection, today),
    )


def key_warning(connection: Connection, today: date) -> Text | None:
    """That the API key ends soon, or has ended; None while there is time, or where its end is not known."""
    try:
        ends = date.fromisoformat(connection.settings.get("key_ends", ""))
    except ValueError:
        return None
    if ends - today > KEY_ENDS_SOON:
        return None
    said, ar = ("has ended", "انتهت") if ends < today else ("ends", "تنتهي")
    fix = f"Make another one in the ERP and give it by `gateway connect {connection.id} --change`."
    return Text(
        f"An API key of its user {said} on {ends.isoformat()}. {fix}",
        f"صلاحية مفتاح الربط {ar} في {ends.isoformat()}. أنشئ مفتاحًا جديدًا وأدخله في الربط.",
    )


def watch_keys(gateway: Gateway) -> None:
    """Log that a key ends soon, and that it has ended: each once, of all processes. To be called now and then."""
    today = gateway.now().astimezone(RIYADH).date()
    for owner in gateway.ledger.taxpayers():
        for each in gateway.ledger.connections(owner.id):
            warned = key_warning(each, today) if each.platform in ERPS else None
            if warned is None:
                continue
            ends = each.settings["key_ends"]
            mark, mine = f"erp key/{each.id}/{ends}/{'ended' if ends < today.isoformat() else 'ends'}", gateway.new_id()
            if gateway.ledger.set_mark(mark, value=mine) == mine:
                log.warning("erp_key_ends", taxpayer=owner.id, connection=each.id, day=ends, detail=warned.en)


def erp_json(each: ErpStanding) -> dict[str, Any]:
    """An ERP as programs read it, without its secrets."""
    connection = each.connection
    return {
        "connection": connection.id,
        "unit": connection.unit_id,
        "platform": connection.platform,
        "url": connection.base_url,
        "post_when": each.when,
        "settings": dict(connection.settings),
        "postings": {"due": each.due, "done": each.done, "waiting": each.waiting},
        "warning": each.wrong._asdict() if each.wrong else None,
    }


def posting_json(posting: Posting) -> dict[str, Any]:
    """A document in the books of one ERP, as programs read it; money as decimal strings, moments in Riyadh's zone."""
    return {
        "id": posting.id,
        "uuid": posting.uuid,
        "number": posting.number,
        "connection": posting.connection_id,
        "mode": posting.mode.value,
        "state": posting.state.value,
        "at": posting.changed_at.astimezone(RIYADH).isoformat(),
        "next_at": posting.next_at.astimezone(RIYADH).isoformat() if posting.next_at else None,
        "attempts": posting.attempts,
        "entry": dict(_entry(posting)) or None,
        "told": posting.told or None,
        "reason": dict(posting.reason) or None,
        "receipt": posting.receipt,
    }


def _entry(posting: Posting) -> Iterator[tuple[str, Any]]:
    if posting.entry_id:
        yield "id", posting.entry_id
        yield "number", posting.entry_number
        yield "state", posting.entry_state
        yield "total", f"{posting.entry_total:.2f}" if posting.entry_total is not None else None
        yield "url", posting.entry_url
