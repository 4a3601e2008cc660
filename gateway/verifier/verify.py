"""Verifies a package: from the seal to the manifest, from there to every file, and from the files to what they say.

What is not as it is listed is named and not believed any further, so that nothing whole is accused because of it.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.verifier.books import AuditLog, Batches, Chain, Latest, lines_of, read_checkpoint
from gateway.verifier.container import Folder, Zip, open_package
from gateway.verifier.report import Fault, Report
from gateway.verifier.seal import BrokenSeal, Sealed, read_seal
from gateway.verifier.work import Batch, Found, Part, Worker, examine_there, named, start_worker

AUDIT, BATCHES = "audit/entries/", "audit/batches/"
FORMAT, VERSIONS = "gateway-package", (1,)
MANIFEST, SEAL, FILES = "manifest.json", "seal.xml", "files.jsonl"
_BATCH = 100
_REASONS = {"period": ("from", "to"), "status": ("status",), "buyer": ("buyer",)}
"""Why a document may be left out, and what of the scope gives the reason; one may have been deleted besides."""


class Verification:
    """One package on its way through the verifier."""

    def __init__(self, path: Path, *, jobs: int, trusted: str, tell: Callable[[int, int], None]) -> None:
        self._path, self._jobs, self._trusted, self._tell = path, jobs, trusted, tell
        self.report = Report(path.name)
        self._known: set[Fault] = set()
        self._package: Zip | Folder = open_package(path)
        self._listed: dict[str, Part] = {}
        self._seal: Sealed | None = None
        self._missing: set[str] = set()
        self._is_read = True
        """Whether every part of chains and log could be read."""
        self._certificates: dict[str, tuple[str | None, bytes]] = {}
        self._vat, self._left_out = "", 0
        self._authority: list[x509.Certificate] = []
        self._links: dict[str, tuple[Any, Any]] = {}
        self._clearing: set[str] = set()
        self._stamped, self._answered = Latest(), Latest()

    def run(self) -> Report:
        """Examine all that can be examined."""
        self._say(self._package.faults)
        manifest = self._manifest()
        if manifest is None or not self._list(manifest):
            return self.report
        self._about(manifest)
        self._say(self._read_certificates(manifest))
        self._in_batches(self._batches(manifest))
        self._say(self._clearing_faults())
        self._conclude(manifest)
        return self.report

    def _say(self, faults: Iterable[Fault]) -> None:
        for each in faults:
            if each not in self._known:
                self._known.add(each)
                self.report.faults.append(each)

    def _bytes(self, name: str) -> bytes | None:
        if name not in self._package.entries:
            return None
        try:
            return self._package.read(name)
        except (ValueError, OSError) as error:
            self._say([Fault("file.changed", name, f"{error}.")])
            return None

    # --- seal, manifest, list -----------------------------------------------------------------------------------------

    def _manifest(self) -> dict[str, Any] | None:
        """The manifest if it is the one that was sealed. One that is not is believed in nothing."""
        content, sealed = self._bytes(MANIFEST), self._sealed()
        if content is None:
            self._say([Fault("manifest.missing", MANIFEST, "Nothing more can be said.")])
            return None
        if sealed is not None and hashlib.sha256(content).hexdigest() != sealed.manifest:
            self._say([Fault("manifest.changed", MANIFEST, "Nothing more can be said.")])
            return None
        try:
            manifest = json.loads(content)
            if manifest["format"] != FORMAT or manifest["version"] not in VERSIONS:
                raise ValueError(f"format {manifest['format']} {manifest['version']} is not known here")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self._say([Fault("manifest.unreadable", MANIFEST, f"{error}.")])
            return None
        self._vat = str(manifest["taxpayer"]["vat"])
        return dict(manifest)

    def _sealed(self) -> Sealed | None:
        content = self._bytes(SEAL)
        if content is None:
            self._say([Fault("seal.missing", SEAL, "")])
            return None
        try:
            sealed = read_seal(content)
        except BrokenSeal as error:
            self._say([Fault("seal.broken", SEAL, f"{error}.")])
            return None
        self._judge(sealed)
        self._seal = sealed
        return sealed

    def _judge(self, sealed: Sealed) -> None:
        said = f"the certificate with the SHA-256 fingerprint {sealed.fingerprint}"
        self.report.about["seal"] = {"fingerprint": sealed.fingerprint, "at": sealed.at}
        if self._trusted and self._trusted != sealed.fingerprint:
            self._say([Fault("seal.other", SEAL, f"It is {said}.")])
        elif self._trusted:
            self.report.proved.append(f"The seal is by {said}, the one you trust, made at {sealed.at}.")
        else:
            self.report.proved.append(f"The seal holds, made at {sealed.at} by {said}.")
            self.report.unproved.append(
                "Whose certificate made the seal: compare its fingerprint with one that you were given otherwise, or"
                " name that with --fingerprint. Whoever has no key of the taxpayer's can make a seal too, of their own."
            )

    def _list(self, manifest: dict[str, Any]) -> bool:
        """Read the list of files and compare what is there with it; False if it is not the manifest's."""
        content = self._bytes(FILES)
        if content is None:
            self._say([Fault("file.missing", FILES, "Nothing more can be said.")])
            return False
        if hashlib.sha256(content).hexdigest() != manifest["files"]["sha256"]:
            self._say([Fault("file.changed", FILES, "Its SHA-256 differs. Nothing more can be said.")])
            return False
        entries = self._package.entries
        for line in lines_of(content):
            name = line["path"]
            if name in entries:
                self._listed[name] = Part(name, line["sha256"], line.get("packed", ""), entries[name])
            else:
                self._missing.add(name)
                self._say([Fault("file.missing", name, "")])
        added = set(entries) - set(self._listed) - {MANIFEST, SEAL, FILES}
        self._say(Fault("file.added", name, "") for name in sorted(added))
        return True

    def _about(self, manifest: dict[str, Any]) -> None:
        owner, scope = manifest["taxpayer"], manifest["scope"]
        parts = [f"{name} {value}" for name, value in scope.items() if value]
        self.report.about |= {
            "taxpayer": f"{owner['name']} ({owner['vat']})",
            "made_at": manifest["made_at"],
            "scope": ", ".join(parts) or "everything",
        }

    # --- certificates -------------------------------------------------------------------------------------------------

    def _read_certificates(self, manifest: dict[str, Any]) -> Iterator[Fault]:
        worker, found = Worker(self._path, {}, ""), Found([], set())
        for each in manifest["certificates"]:
            part = self._listed.get(each["path"])
            content = worker.content(part, found) if part else None
            if content is None:  # which is said already, or will be: nothing is said of what needs it
                self._certificates[each["id"]] = (each.get("chain"), b"")
                continue
            try:
                certificate = x509.load_pem_x509_certificate(content)
            except ValueError as error:
                yield Fault("certificate.unreadable", each["path"], f"{error}.")
                self._certificates[each["id"]] = (each.get("chain"), b"")
                continue
            if each["stage"] == "authority":
                self._authority.append(certificate)
            else:
                self._certificates[each["id"]] = (each["chain"], certificate.public_bytes(Encoding.DER))
        for each in manifest["certificates"]:
            _, der = self._certificates.get(each["id"], ("", b""))
            if der and self._authority and not self._is_issued(x509.load_der_x509_certificate(der)):
                yield Fault("certificate.issuer", each["path"], "")

    def _is_issued(self, certificate: x509.Certificate) -> bool:
        return any(_issued_by(certificate, each) for each in self._authority)

    def _clearing_faults(self) -> Iterator[Fault]:
        for text in sorted(self._clearing):
            certificate = _certificate_of(text)
            if certificate is not None and self._authority:
                known = any(each == certificate for each in self._authority)
                if not known and not self._is_issued(certificate):
                    name = certificate.subject.rfc4514_string()
                    yield Fault("certificate.issuer", f"stamp of {name} on cleared documents", "")

    # --- files, chains, audit log -------------------------------------------------------------------------------------

    def _batches(self, manifest: dict[str, Any]) -> Iterator[Batch]:
        """All there is to examine, a bounded part at a time; on the way chains and audit log are walked."""
        left = dict(self._listed)
        batches, noted = self._sealing(manifest, left)
        for about in manifest["chains"]:
            chain = Chain(about, noted.get(about["id"], {}))
            for segment, links in self._segments(f"chains/{chain.id}/", left, chain):
                self._say(chain.follow(segment, links))
                self.report.counts["links"] += len(links)
                self._links.update({each["uuid"]: (each["icv"], each["hash"]) for each in links})
                self._say(self._unfounded(manifest["scope"], segment, links))
                self._mind_times(segment, links)
                for at in range(0, len(links), _BATCH):
                    yield self._batch(segment, chain.id, links[at : at + _BATCH], left)
            self._say(chain.end())
            self.report.counts["chains"] += 1
        self._say(self._contradictions(manifest))
        self._say(_chains_missing(manifest, noted))
        self._audit(manifest, left, batches)
        names = sorted(left)
        for at in range(0, len(names), _BATCH):
            yield Batch("", "", [], {name: left[name] for name in names[at : at + _BATCH]})

    def _unfounded(self, scope: dict[str, Any], segment: str, links: list[dict[str, Any]]) -> Iterator[Fault]:
        """Documents that are left out for no reason that what was asked for gives."""
        reasons = {"deleted", *(reason for reason, names in _REASONS.items() if any(scope[name] for name in names))}
        for link in links:
            self._left_out += link["file"] is None
            if link["file"] is None and link.get("left_out") not in reasons:
                yield Fault("chain.left_out", f"{segment}, ICV {link['icv']}", f"Document {link['uuid']}.")

    def _mind_times(self, segment: str, links: list[dict[str, Any]]) -> None:
        for link in links:
            here = f"{segment}, ICV {link['icv']}"
            self._stamped.saw(link["signed_at"], here)
            for answer in link["answers"] if link["file"] else ():
                self._answered.saw(answer["at"], here)

    def _contradictions(self, manifest: dict[str, Any]) -> Iterator[Fault]:
        """What was there when the package was begun is not later than that; answers may be as late as the seal, for a
        package that was interrupted goes on later."""
        yield from self._stamped.beyond(manifest["made_at"], "and the package is said to be made at")
        if self._seal is not None:
            yield from self._answered.beyond(self._seal.at, "and the seal to be made at")

    def _segments(
        self, prefix: str, left: dict[str, Part], walked: Chain | AuditLog | Batches
    ) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The parts of a chain or log in their order; of one that is not as it is listed nothing is believed."""
        worker, found = Worker(self._path, {}, ""), Found([], set())
        for name in sorted(name for name in {*self._listed, *self._missing} if name.startswith(prefix)):
            content = worker.content(left.pop(name), found) if name in left else None
            self._say(found.faults)
            if content is None:
                walked.skip()
                self._is_read = False
                continue
            yield name, lines_of(content)

    def _batch(self, segment: str, chain: str, links: list[dict[str, Any]], left: dict[str, Part]) -> Batch:
        parts = {}
        for link in links:
            for name in named(link):
                if name in left:
                    parts[name] = left.pop(name)
                elif name not in self._missing:
                    why = "Another document has it already." if name in self._listed else "It is not listed."
                    self._say([Fault("file.missing", name, f"{segment}, ICV {link['icv']} names it. {why}")])
            self.report.counts["documents"] += link["file"] is not None
        return Batch(segment, chain, links, parts)

    def _sealing(self, manifest: dict[str, Any], left: dict[str, Part]) -> tuple[Batches, dict[str, dict[int, str]]]:
        """The batches of the audit log, and what the checkpoint says of each chain: counter and hash."""
        about, owner = manifest["audit"], manifest["taxpayer"]["id"]
        batches = Batches(about, owner)
        for part, lines in self._segments(BATCHES, left, batches):
            self._say(batches.follow(part, lines))
        if about["checkpoint"] is None or self._seal is None:
            return batches, {}
        part = about["checkpoint"]["path"]
        content = self._bytes(part)
        if content is None or hashlib.sha256(content).hexdigest() != self._listed[part].sha256:
            return batches, {}  # which is said of the file itself
        try:
            said = read_checkpoint(content, self._seal.certificate)
        except (ValueError, KeyError, TypeError) as error:
            self._say([Fault("audit.checkpoint", part, f"{error}.")])
            return batches, {}
        if not batches.agrees(said["batch"], said["entries"], said["hash"]) or said["taxpayer"] != owner:
            self._say([Fault("audit.checkpoint", part, f"It has {said['entries']} entries, with another hash.")])
        self.report.about["checkpoint"] = said["at"]
        latest = Latest()
        latest.saw(said["at"], part)
        self._say(latest.beyond(manifest["made_at"], "and the package is said to be made at"))
        return batches, {each["chain"]: {each["icv"]: each["hash"]} for each in said["chains"]}

    def _audit(self, manifest: dict[str, Any], left: dict[str, Part], batches: Batches) -> None:
        log = AuditLog(manifest["audit"], manifest["taxpayer"]["id"], batches.ends)
        for part, entries in self._segments(AUDIT, left, log):
            self._say(log.follow(part, entries))
        self._say(log.end())
        self._say(log.latest.beyond(manifest["made_at"], "and the package is said to be made at"))
        self.report.counts["audit entries"] = log.entries
        is_known = not manifest["scope"]["units"] and self._is_read
        for uuid, (*said, at) in log.issued.items():
            if uuid in self._links and [*self._links[uuid]] != said:
                self._say([Fault("audit.document", uuid, f"The log has ICV {said[0]} and hash {said[1]}.")])
            elif uuid not in self._links and is_known and _is_before(at, manifest["made_at"]):
                self._say([Fault("audit.document", uuid, f"It was issued with ICV {said[0]} and is in no chain.")])
        is_all = not any(manifest["scope"].values()) and log.is_read
        for uuid in self._links if is_all else ():
            if uuid not in log.issued:
                self._say([Fault("audit.document", uuid, "The log does not know that it was issued.")])

    def _in_batches(self, batches: Iterator[Batch]) -> None:
        done, total = 0, sum(not name.startswith(("chains/", AUDIT, BATCHES)) for name in self._listed)
        for batch, found in self._examined(batches):
            self._say(found.faults)
            self._clearing |= found.clearing
            done += len(batch.parts)
            self._tell(done, total)
        self.report.counts["files"] = len(self._listed)

    def _examined(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Found]]:
        if self._jobs == 1 or len(self._listed) < 4 * _BATCH:
            worker = Worker(self._path, self._certificates, self._vat)
            yield from ((batch, worker.examine(batch)) for batch in batches)
            return
        begin = (self._path, self._certificates, self._vat)
        with ProcessPoolExecutor(self._jobs, initializer=start_worker, initargs=begin) as pool:
            waiting: list[tuple[Batch, Future[Found]]] = []
            for batch in batches:
                waiting.append((batch, pool.submit(examine_there, batch)))
                if len(waiting) > 3 * self._jobs:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            yield from ((batch, future.result()) for batch, future in waiting)

    # --- what it comes to ---------------------------------------------------------------------------------------------

    def _conclude(self, manifest: dict[str, Any]) -> None:
        counts, proved, unproved = self.report.counts, self.report.proved, self.report.unproved
        wrong = {each.code.partition(".")[0] for each in self.report.faults}
        if not wrong & {"container", "file"}:
            proved.append(f"All {counts['files']} files are those that were listed, and there is no other.")
        if not wrong & {"chain", "link", "file"}:
            proved.append(
                f"The {counts['chains']} chains hold from their first document to their head ({counts['links']} links):"
                " none is missing, and each hash was signed by the unit within the time of its certificate."
            )
        if not wrong & {"document", "file"}:
            proved.append(f"Hash, stamp, QR and answer of all {counts['documents']} documents hold.")
        if not wrong & {"audit", "file"}:
            at = self.report.about.get("checkpoint")
            proved.append(
                f"The audit log holds: {counts['audit entries']} entries"
                + (f"; log and chains go as far as the signed checkpoint of {at} says." if at else ".")
            )
        if self._authority and "certificate" not in wrong:
            proved.append("The units' certificates and the stamps of cleared documents lead to the authority's"
                          " certificate in the package.")  # fmt: skip
        unproved += _beyond(self._left_out, bool(self._authority), bool(self._clearing))


def _chains_missing(manifest: dict[str, Any], noted: dict[str, dict[int, str]]) -> Iterator[Fault]:
    """Chains that the checkpoint knows and the package, though it is of all units, has not."""
    here = {each["id"] for each in manifest["chains"]}
    for chain in sorted(set(noted) - here) if not manifest["scope"]["units"] else ():
        yield Fault("audit.checkpoint", f"chain {chain}", "It is not in the package.")


def _beyond(left_out: int, has_authority: bool, has_cleared: bool) -> Iterator[str]:
    if left_out:
        yield f"What the {left_out} documents say that are left out; their hashes and signatures are here."
    if not has_authority:
        stamped = ", and the certificate that cleared documents are stamped with" if has_cleared else ""
        yield f"Whether the authority issued the units' certificates{stamped}: its own is not in the package."
    else:
        yield "Whether the authority's certificate in the package is its own: compare it with the published one."
    yield "What index and PDFs say, and what verify.py in the package does: they are as they were sealed, not examined."
    yield (
        "Whether a certificate was revoked, what happened after the package was made, and what was never issued. When"
        " it was made is said by who sealed it: nothing in it is later, but whoever backdates it can leave out what is."
    )


def _is_before(at: str, made_at: str) -> bool:
    """Whether a document was surely issued when the ends of the chains were read: a minute before is sure enough."""
    return datetime.fromisoformat(at) < datetime.fromisoformat(made_at) - timedelta(minutes=1)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _certificate_of(text: str) -> x509.Certificate | None:
    """A certificate as documents carry it; None if it is none, which is said of the document itself."""
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        return None


def verify(
    path: Path, *, jobs: int = 1, trusted: str = "", tell: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Verify a package, a ZIP or the folder it was unpacked to. `trusted` is the SHA-256 fingerprint (hex) that the
    sealing certificate must have; `tell` hears how many files are done of how many. OSError: it cannot be opened.
    Whatever it is made of, it is reported on."""
    verification = Verification(path, jobs=jobs, trusted=trusted.replace(":", "").lower(), tell=tell)
    try:
        return verification.run()
    except Exception as error:  # noqa: BLE001 - whoever made it so that it cannot be read is not to be believed
        fault = Fault("manifest.unreadable", MANIFEST, f"What it leads to has another form ({error!r}).")
        verification.report.faults.append(fault)
        return verification.report
