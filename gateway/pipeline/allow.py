"""A taxpayer lets single warnings stand on its documents, by rule and with a reason, or stops them again.

Errors can never be allowed: the authority rejects what has one.
"""

from typing import Final

from gateway.errors import BadInput
from gateway.finding import Severity
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.proof import LATENESS
from gateway.rules import BOOKS

LONGEST_REASON: Final = 1000
*_, _BOOK = BOOKS.values()  # the newest, which documents are judged by


def allow(gateway: Gateway, taxpayer_id: str, rule: str, reason: str, *, actor: str) -> None:
    """From now on documents are issued in spite of this warning, and keep it; BadInput if it cannot be allowed."""
    _check_warning(rule)
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise BadInput(
            f"The reason must be one line of 1 to {LONGEST_REASON} characters.",
            fix="Say why the warning may stand: an auditor will read it.",
            ar="اكتب سبب السماح بالتحذير في سطر واحد؛ سيطّلع عليه المراجع.",
        )
    gateway.ledger.allow_warning(taxpayer_id, rule, reason=reason.strip(), actor=actor, now=gateway.now())


def refuse(gateway: Gateway, taxpayer_id: str, rule: str, *, actor: str) -> None:
    """The warning stops documents again; Unknown if it was not allowed."""
    gateway.ledger.refuse_warning(taxpayer_id, rule, actor=actor, now=gateway.now())


def _check_warning(rule: str) -> None:
    found = next((each for each in _BOOK.rules if each.id == rule), None)
    if found is None:
        raise BadInput(
            f"There is no rule {rule} in the rule book {_BOOK.version}.",
            fix="Give the id as findings name it, such as BR-KSA-71.",
            ar=f"لا توجد قاعدة باسم {rule} في مجموعة القواعد {_BOOK.version}. اكتب رمزها كما يظهر في المخالفات.",
        )
    if found.severity is Severity.ERROR:
        raise BadInput(
            f"{rule} is an error, and the authority rejects documents that have one: it cannot be allowed.",
            fix="Mend what the finding names.",
            ar=f"القاعدة {rule} خطأ وليست تحذيراً، وترفض الهيئة أي مستند يخالفها؛ لا يمكن السماح بها.",
        )
    if rule == LATENESS:
        raise BadInput(
            f"{rule} never stops a document: there is nothing to allow.",
            fix="It warns of late reporting, which `gateway status` shows.",
            ar=f"القاعدة {rule} لا توقف أي مستند؛ لا حاجة إلى السماح بها.",
        )
