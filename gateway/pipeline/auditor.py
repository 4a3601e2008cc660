"""Every look of an auditor is in the audit log before anything is shown."""

from collections.abc import Mapping
from typing import Final

from gateway.errors import Unavailable
from gateway.pipeline.gateway import Gateway

LOOK: Final = "look"
_LONGEST: Final = 500
"""Characters that are kept of an address or of a parameter; what the routes take is shorter."""
_MOST: Final = 20


def log_look(
    gateway: Gateway, taxpayer_id: str, actor: str, *, method: str, path: str, query: Mapping[str, str]
) -> None:
    """Note who looks at what. Unavailable if it cannot be noted: then nothing is shown, for a log of looks that may
    leave one out proves nothing, and an auditor can wait where a shop cannot."""
    asked = {name[:_LONGEST]: value[:_LONGEST] for name, value in list(query.items())[:_MOST]}
    query_too = {"query": asked} if asked else {}
    try:
        gateway.note(taxpayer_id, actor, LOOK, path[:_LONGEST], method=method, **query_too)
    except Unavailable as error:
        raise Unavailable(
            f"This look cannot be written into the audit log, so nothing is shown: {error.what}",
            retry_after=error.retry_after,
            fix="Ask again later.",
            ar="تعذر قيد هذا الاطلاع في سجل التدقيق فلم يُعرض شيء. أعد المحاولة لاحقاً.",
        ) from None
