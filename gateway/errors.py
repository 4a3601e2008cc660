"""What the outside can do to us, as one small tree. Each carries what happened, where, and how to mend it.

    GatewayError
    ├── BadInput              what was handed in cannot be used; nothing was consumed      exit 2, HTTP 400
    │   ├── UnreadableXml     not well-formed, a DOCTYPE, too large
    │   ├── UnusableOrder     the order breaks its schema                                  HTTP 422
    │   ├── DoesNotClose      declared and computed sums differ beyond rounding            HTTP 422
    │   └── NotCompliant      the document breaks official rules (carries findings)        HTTP 422
    ├── Conflict              the same thing again with other content                      HTTP 409
    │   ├── NotStamped        the document waits for its signer                              HTTP 409
    │   └── NotCleared        the buyer's copy of a document that is not cleared             HTTP 409
    ├── Unknown               no such invoice, order, unit, connection                     HTTP 404
    ├── Unauthorised          who are you?                                                 HTTP 401
    ├── Forbidden             you may not                                                  HTTP 403
    ├── Unavailable           cannot be done now, try later; nothing half done             HTTP 503
    │   ├── Throttled             the other side says how long to leave it alone
    │   └── Unreached             no connection came about, so nothing was sent
    └── Misconfigured         settings, keys, files, ports                                 exit 2

What is expected (a rule that does not hold, a rejection by the authority) is data: see finding and verdict.
Only api/ knows HTTP codes and only the command line knows exit codes.
"""

from decimal import Decimal

from gateway.finding import Finding


class GatewayError(Exception):
    """Base of all; `what` says what is wrong and where, `fix` what to do about it, `ar` both in Arabic."""

    def __init__(self, what: str, *, fix: str = "", ar: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.ar = ar

    def __str__(self) -> str:
        return f"{self.what} {self.fix}".strip()


class BadInput(GatewayError):
    """What was handed in cannot be used; nothing was consumed."""


class UnreadableXml(BadInput):
    """Not well-formed, has a DOCTYPE, or is too large."""


class UnusableOrder(BadInput):
    """The order breaks its schema; `problems` lists (place in the order, sentence)."""

    def __init__(self, what: str, *, problems: tuple[tuple[str, str], ...] = (), fix: str = "", ar: str = "") -> None:
        super().__init__(what, fix=fix, ar=ar)
        self.problems = problems


class DoesNotClose(BadInput):
    """Declared and computed sums differ by more than rounding explains; `sums` are the two, where there are two."""

    def __init__(self, what: str, *, sums: tuple[Decimal, Decimal] | None = None, fix: str = "", ar: str = "") -> None:
        super().__init__(what, fix=fix, ar=ar)
        self.sums = sums


class NotCompliant(BadInput):
    """The document would break official rules; `findings` says which."""

    def __init__(self, what: str, *, findings: tuple[Finding, ...], fix: str = "", ar: str = "") -> None:
        super().__init__(what, fix=fix, ar=ar)
        self.findings = findings


class Conflict(GatewayError):
    """The same thing came again with other content."""


class NotCleared(Conflict):
    """A buyer may not have this document yet: the authority has not cleared it."""


class NotStamped(Conflict):
    """A document whose signer has not signed it yet: nothing of it may be shown."""


class Unknown(GatewayError):
    """There is no such invoice, order, unit or connection."""


class Unauthorised(GatewayError):
    """The caller's credentials or signature are missing or wrong."""


class Forbidden(GatewayError):
    """The caller is known but may not do this."""


class Unavailable(GatewayError):
    """It cannot be done now; nothing is half done; `retry_after` is in seconds."""

    def __init__(self, what: str, *, retry_after: float = 5.0, fix: str = "", ar: str = "") -> None:
        super().__init__(what, fix=fix, ar=ar)
        self.retry_after = retry_after


class Throttled(Unavailable):
    """The other side asks to be left alone for `retry_after` seconds, whatever it is asked."""


class Unreached(Unavailable):
    """No connection came about, so the other side has heard nothing."""


class Misconfigured(GatewayError):
    """Settings, keys, files or ports do not allow the start."""
