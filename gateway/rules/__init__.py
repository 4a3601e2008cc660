"""The rule book: what the authority's official validation demands of a UBL document.

    report = check(xml, now=now)
    report.valid, report.findings

It judges any document as read, ours or anyone's, and is pure: no I/O beyond its own data files, no clock.
"""

from gateway.rules.check import ALL_SETS, BOOKS, Report, check, judge

__all__ = ["ALL_SETS", "BOOKS", "Report", "check", "judge"]
