"""What an order would become, and why: the document, its findings, the decisions, and where each halala goes.

Consumes nothing: the document stands first in a chain of its own, without a stamp.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from gateway import rules, ubl
from gateway.chain import Link, first_link
from gateway.finding import RuleSet
from gateway.invoice.facts import Heading, Invoice, Party
from gateway.invoice.from_order import Drawn, draw_up
from gateway.invoice.halalas import explained
from gateway.invoice.origin import traced
from gateway.invoice.policy import Policy, read_policy
from gateway.invoice.prepayment import Prior
from gateway.order import Order
from gateway.pipeline.earlier import external_of, priors_of
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import Request, unit_for
from gateway.pipeline.rendered import moment_of_issue

CONTENT: Final = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})
OF_THE_STAMP: Final = frozenset({"KSA-14", "KSA-15"})
"""QR and stamp: what a preview cannot have."""
NO_UUID: Final = "00000000-0000-4000-8000-000000000000"
_NO_NUMBER: Final = "000001"


class Preview(NamedTuple):
    """The document that would be issued (unsigned), with how it came about and what the rule book says of it."""

    drawn: Drawn
    xml: bytes
    report: rules.Report

    @property
    def invoice(self) -> Invoice:
        return self.drawn.invoice

    @property
    def is_clean(self) -> bool:
        return not (self.report.xsd or self.report.findings)


def preview(
    order: Order,
    seller: Party,
    *,
    prefix: str,
    now: datetime,
    policy: Policy | None = None,
    priors: Mapping[str, Prior] | None = None,
) -> Preview:
    """The document of an order; DoesNotClose and UnusableOrder as when it is issued. `prefix` is the unit's series."""
    drawn = draw_up(order, seller, policy, priors)
    number = order.invoice_number or f"{prefix}{_NO_NUMBER}"
    xml, report = judged(drawn.invoice, number=number, link=first_link(), now=now)
    return Preview(drawn, xml, report)


def judged(invoice: Invoice, *, number: str, link: Link, now: datetime) -> tuple[bytes, rules.Report]:
    """The unsigned document of an invoice, and what the rule book says of its content."""
    body = ubl.render(invoice, Heading(number, NO_UUID, moment_of_issue(now)), link)
    report = rules.check(body, now=now, sets=CONTENT)
    content = (each for each in report.findings if each.term not in OF_THE_STAMP)
    return body, replace(report, xsd=traced(report.xsd, invoice), findings=traced(content, invoice))


def preview_of(gateway: Gateway, request: Request) -> Preview:
    """The same by the connection that the order names, with its prepayments and originals looked up."""
    order = request.order
    connection = gateway.ledger.connection(request.taxpayer_id, order.connection)
    unit = unit_for(gateway, request, connection)
    shown = preview(
        order,
        unit.seller,
        prefix=unit.number_prefix,
        now=gateway.now(),
        policy=read_policy(connection.settings),
        priors=priors_of(gateway, request.taxpayer_id, order),
    )
    external_of(gateway, connection, order, shown.invoice)
    return shown


def totals(invoice: Invoice) -> dict[str, str]:
    """The sums as decimal strings."""
    return {
        "without_vat": f"{invoice.without_vat:.2f}",
        "vat": f"{invoice.vat:.2f}",
        "with_vat": f"{invoice.with_vat:.2f}",
        "rounding": f"{invoice.rounding:.2f}",
        "prepaid": f"{invoice.prepaid:.2f}",
        "payable": f"{invoice.payable:.2f}",
        "currency": invoice.currency,
    }


def preview_json(shown: Preview, order: Order) -> dict[str, Any]:
    """A preview as programs read it."""
    return {
        "kind": shown.invoice.kind.word,
        "profile": shown.invoice.profile.word,
        "flags": sorted(shown.invoice.flags),
        "totals": totals(shown.invoice),
        "decisions": [
            {"what": each.what, "value": each.value, "why": each.why._asdict()}
            for each in shown.drawn.decided.decisions
        ],
        "halalas": [each._asdict() for each in explained(order, shown.drawn)],
        "findings": [finding.as_json() for finding in (*shown.report.xsd, *shown.report.findings)],
        "xml": shown.xml.decode(),
    }
