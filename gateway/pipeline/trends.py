"""The trend of the authority's warnings, as programs read it."""

from typing import Any, Final

from gateway.finding import Text
from gateway.invoice.facts import RIYADH
from gateway.ledger import WarningTrend

MAY_BE_REJECTIONS: Final = Text(
    "These documents were accepted with warnings. The authority may turn warnings into rejections, and looks into those"
    " that go on: mend the cause for later documents, and do not send these again.",
    "قُبلت هذه المستندات مع تحذيرات. قد تصبح التحذيرات أسباباً للرفض، وتنظر الهيئة في المتكرر منها:"
    " عالج السبب في المستندات اللاحقة، ولا تُعد إرسال هذه المستندات.",
)
"""What a warning means (zatca-api 4, outcome 202)."""


def trend_json(trend: WarningTrend) -> dict[str, Any]:
    """One rule; moments in Riyadh's zone."""
    return {
        "rule": trend.rule,
        "count": trend.count,
        "first": trend.first.astimezone(RIYADH).isoformat(),
        "last": trend.last.astimezone(RIYADH).isoformat(),
        "weeks": dict(trend.weeks),
        "example": {"uuid": trend.uuid, "number": trend.number, "message": trend.message},
    }
