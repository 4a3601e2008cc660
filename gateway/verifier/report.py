"""What was found: faults, each naming the part that is wrong, and what could and could not be proved."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CODES = {
    "container.directory": "The package is damaged at its end or cut off.",
    "container.header": "Bytes around a file were changed.",
    "container.gap": "Bytes lie between the files that belong to none.",
    "seal.missing": "The package has no seal.",
    "seal.broken": "The seal is not whole: it was changed, or made of something else.",
    "seal.other": "The seal is by another certificate than the one you trust.",
    "manifest.missing": "The package has no manifest.",
    "manifest.changed": "The manifest is not the one that was sealed.",
    "manifest.unreadable": "The manifest cannot be read by this verifier.",
    "manifest.time": "Something in the package is of a later time than it says it was made at.",
    "file.missing": "A file that is listed is not there.",
    "file.changed": "A file's bytes are not those that are listed.",
    "file.added": "A file is there that is not listed.",
    "file.unreadable": "A file is not of the form it should have.",
    "chain.break": "The chain does not hold.",
    "chain.head": "The chain does not end where the manifest says.",
    "chain.count": "The manifest counts other documents than there are.",
    "chain.left_out": "A document is left out, and nothing that was asked for leaves it out.",
    "link.signature": "The unit did not sign this hash.",
    "link.certificate": "The certificate of the stamp is not in the package, or serves another chain.",
    "link.window": "It was stamped outside the time of its certificate.",
    "document.hash": "The document hashes to something else than its chain says.",
    "document.facts": "The document says something else of itself than its chain does.",
    "document.stamp": "The stamp in the document does not hold.",
    "document.qr": "The QR does not say what the document says.",
    "document.answer": "No answer of the authority in the package bears out its status.",
    "certificate.unreadable": "A certificate cannot be read.",
    "certificate.issuer": "A certificate was not issued by the authority's certificate in the package.",
    "audit.break": "The audit log does not hold.",
    "audit.batch": "A batch by which the audit log was sealed does not hold, or does not end as the log does.",
    "audit.document": "The audit log says something else of a document.",
    "audit.checkpoint": "The signed checkpoint does not hold, or log and chains do not go as far as it says.",
}
"""Everything that can be wrong."""


_HARMLESS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


class Fault(NamedTuple):
    """One thing that is wrong: its code, the part (a file of the package, or one of its documents), and how so."""

    code: str
    part: str
    why: str


@dataclass
class Report:
    """The result: what was examined, what is wrong, and what was proved or could not be, in words."""

    package: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    proved: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "package": self.package,
            "sound": self.is_sound,
            "about": self.about,
            "counts": dict(sorted(self.counts.items())),
            "faults": [{**each._asdict(), "what": CODES[each.code]} for each in self.faults],
            "proved": self.proved,
            "not_proved": self.unproved,
        }

    def lines(self) -> list[str]:
        """As people read it."""
        about = self.about
        said = [f"Package {self.package}"]
        if "taxpayer" in about:
            said.append(f"  of {about['taxpayer']}, made {about['made_at']}, {about['scope']}")
        said += [f"  {name}: {count}" for name, count in sorted(self.counts.items())]
        for title, lines in (("Proved:", self.proved), ("Not proved here:", self.unproved)):
            said += [title, *(f"  - {line}" for line in lines)] if lines else []
        for each in self.faults:
            said += [f"WRONG {each.code}: {each.part}", f"  {CODES[each.code]} {each.why}"]
        said.append("Nothing is wrong." if self.is_sound else f"Things that are wrong: {len(self.faults)}.")
        return [shown(line) for line in said]


def shown(text: str) -> str:
    """A line in which nothing acts on a terminal, or looks like another line: it may be of whoever changed things."""
    return "".join(each if each.isprintable() or each in _HARMLESS else ascii(each)[1:-1] for each in text)
