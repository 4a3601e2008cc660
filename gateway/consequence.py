"""What follows from each outcome: the one table that decides about a document, its unit and the way to the authority.

One row an outcome. Whether the same bytes go again follows from the fate; when they do is the worker's decision.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from gateway.issued import Status
from gateway.verdict import Outcome


class Fate(StrEnum):
    """What becomes of the document."""

    ACCEPTED = "accepted"  # cleared or reported; never sent again
    REJECTED = "rejected"  # keeps its place in the chain; a new document corrects it
    UNKNOWN = "unknown"  # it may have been accepted: the same bytes again
    AS_IT_WAS = "as it was"  # it was not looked at: the same bytes again
    REDIRECTED = "redirected"  # the same bytes to reporting, at once


class Line(StrEnum):
    """What the answer says of the way there."""

    WORKS = "works"
    FAILS = "fails"  # counts towards the breakers of the unit and of the authority
    LIMITED = "limited"  # the unit pauses at once, as long as it was asked to
    ISOLATED = "isolated"  # the unit sends nothing until a person has looked


class Consequence(NamedTuple):
    """`alarm` tells the operator at once, in words; empty where nobody need be told."""

    fate: Fate
    line: Line
    alarm: str = ""


# ../docs/explanation/what-the-authority-answers.md tells it in words; its source is the authority's own table of
# actions in its developer community and its staff's later rulings.
CONSEQUENCES: Final = {
    Outcome.ACCEPTED: Consequence(Fate.ACCEPTED, Line.WORKS),
    Outcome.DUPLICATE: Consequence(Fate.ACCEPTED, Line.WORKS),
    Outcome.REJECTED: Consequence(Fate.REJECTED, Line.WORKS),
    Outcome.TOO_LARGE: Consequence(Fate.REJECTED, Line.WORKS, "a document is too large for the authority"),
    Outcome.CLEARANCE_OFF: Consequence(Fate.REDIRECTED, Line.WORKS, "the authority has switched clearance off"),
    Outcome.CREDENTIALS: Consequence(Fate.AS_IT_WAS, Line.ISOLATED, "the authority refuses the unit's credentials"),
    Outcome.LIMITED: Consequence(Fate.AS_IT_WAS, Line.LIMITED),
    Outcome.PROTOCOL: Consequence(Fate.AS_IT_WAS, Line.FAILS, "the authority does not speak this version of its API"),
    Outcome.UNKNOWN: Consequence(Fate.UNKNOWN, Line.FAILS),
}


def status_after(outcome: Outcome, *, before: Status, endpoint: str) -> Status:
    """Where a document stands after an answer. What was unknown before stays so until a final answer: an earlier
    sending may have been accepted."""
    fate = CONSEQUENCES[outcome].fate
    if fate is Fate.ACCEPTED:
        return Status.CLEARED if endpoint == "clearance" else Status.REPORTED
    if fate is Fate.REJECTED:
        return Status.REJECTED
    was_sent = before in (Status.UNKNOWN, Status.SENDING)
    return Status.UNKNOWN if was_sent or fate is Fate.UNKNOWN else Status.ISSUED
