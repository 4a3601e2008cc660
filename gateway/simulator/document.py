"""What the simulator reads in a document: its own reading, by XPath, of any UBL invoice that comes in."""

import base64
import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, NamedTuple

from lxml import etree

from gateway import xml
from gateway.errors import UnreadableXml

_BLANKS: Final = " \t\r\n"

# Left out of the hash, each with the white space after it kept: signatures and QR (BR-KSA-26).
_OUTSIDE_HASH: Final = etree.XPath(
    "//ext:UBLExtensions | //cac:Signature | //cac:AdditionalDocumentReference[normalize-space(cbc:ID) = 'QR']",
    namespaces=xml.NAMESPACES,
)


def without_stamp(root: etree._Element) -> etree._Element:
    """A copy of the document with signatures and QR taken out; what stands around the root is copied too."""
    bare: etree._Element = copy.deepcopy(root.getroottree()).getroot()
    for element in _OUTSIDE_HASH(bare):
        _take_out(element)
    return bare


def _take_out(element: etree._Element) -> None:
    """Remove an element and leave the text after it where it is."""
    parent, before = element.getparent(), element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (element.tail or "")
    else:
        parent.text = (parent.text or "") + (element.tail or "")
    parent.remove(element)


def hash_of(root: etree._Element) -> bytes:
    """The 32 bytes that stand for a document: of all of it, processing instructions before and after the root too."""
    bare = without_stamp(root).getroottree()
    canonical = etree.tostring(bare, method="c14n", exclusive=False, with_comments=False)
    return hashlib.sha256(canonical).digest()


def hex_digest(content: bytes) -> str:
    """Base64 of the hexadecimal SHA-256: the form of all digests within the signature block."""
    return base64.b64encode(hashlib.sha256(content).hexdigest().encode("ascii")).decode("ascii")


@cache
def _compiled(path: str) -> etree.XPath:
    """There are a few dozen of them, all from this package."""
    return etree.XPath(path, namespaces=xml.NAMESPACES)


class QrFacts(NamedTuple):
    """What a QR repeats of its document in the tags 1 to 5, to the last blank as it stands there."""

    seller_name: str
    seller_vat: str
    time_stamp: str
    total: str
    vat_total: str


@dataclass(frozen=True)
class Document:
    """A parsed invoice; texts are stripped, and empty where the document has none."""

    source: bytes
    root: etree._Element

    @classmethod
    def read(cls, source: bytes) -> "Document":
        """UnreadableXml if it cannot be parsed, or has no canonical form and so no hash."""
        document = cls(source, xml.parse(source))
        try:
            assert document.hash, "a hash has 32 bytes"
        except etree.C14NError as error:
            raise UnreadableXml(f"The XML has no canonical form: {error}.", fix="Name namespaces in full.") from None
        return document

    def raw(self, path: str) -> str:
        """The first text at an XPath below the root, with the blanks around it."""
        return str(_compiled(f"string(({path})[1])")(self.root))

    def text(self, path: str) -> str:
        """The same without the blanks."""
        return self.raw(path).strip(_BLANKS)

    def first(self, path: str) -> etree._Element | None:
        """The first element an XPath finds."""
        return next(iter(_compiled(path)(self.root)), None)

    def count(self, path: str) -> int:
        """How many nodes an XPath finds."""
        return int(_compiled(f"count({path})")(self.root))

    @cached_property
    def nodes(self) -> int:
        """How many elements, texts, comments and attributes there are."""
        return self.count("//node()") + self.count("//@*")

    @cached_property
    def hash(self) -> bytes:
        """Of the document as it stands here."""
        return hash_of(self.root)

    @property
    def hash_text(self) -> str:
        return base64.b64encode(self.hash).decode("ascii")

    @cached_property
    def uuid(self) -> str:
        """KSA-1."""
        return self.text("cbc:UUID")

    @cached_property
    def icv(self) -> int | None:
        """KSA-16; None if it is no number."""
        text = self.text(reference("ICV", "/cbc:UUID"))
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None

    @cached_property
    def pih(self) -> str:
        """KSA-13."""
        return self.text(reference("PIH", _EMBEDDED))

    @cached_property
    def qr(self) -> str:
        """KSA-14 in base64, as it stands."""
        return self.raw(reference("QR", _EMBEDDED))

    @cached_property
    def qr_facts(self) -> QrFacts:
        """What the first tags of the QR have to say."""
        seller = "cac:AccountingSupplierParty/cac:Party"
        return QrFacts(
            self.raw(f"{seller}/cac:PartyLegalEntity/cbc:RegistrationName"),
            self.raw(f"{seller}/cac:PartyTaxScheme/cbc:CompanyID"),
            f"{self.raw('cbc:IssueDate')}T{self.raw('cbc:IssueTime')}",
            self.raw("cac:LegalMonetaryTotal/cbc:PayableAmount"),
            self.raw("cac:TaxTotal/cbc:TaxAmount"),
        )

    @cached_property
    def type_code(self) -> str:
        """BT-3."""
        return self.text("cbc:InvoiceTypeCode")

    @cached_property
    def transaction_code(self) -> str:
        """KSA-2."""
        return self.text("cbc:InvoiceTypeCode/@name")

    @property
    def is_simplified(self) -> bool:
        return self.transaction_code.startswith("02")

    @property
    def is_self_billed(self) -> bool:
        return self.transaction_code[6:7] == "1"

    @property
    def compliance_step(self) -> str:
        """The name of the onboarding step this kind of document passes."""
        profile = "simplified" if self.is_simplified else "standard"
        note = {"381": "-credit-note", "383": "-debit-note"}.get(self.type_code, "")
        return f"{profile}{note}-compliant"

    def vat_number(self, role: str) -> str:
        """BT-31 (role Supplier) or BT-48 (role Customer)."""
        return self.text(f"cac:Accounting{role}Party/cac:Party/cac:PartyTaxScheme/cbc:CompanyID")


_EMBEDDED: Final = "/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"


def reference(name: str, path: str = "") -> str:
    """The XPath of an additional document reference (ICV, PIH or QR), or of something in it."""
    return f"cac:AdditionalDocumentReference[normalize-space(cbc:ID) = '{name}']{path}"


def compliance_steps(invoice_types: str) -> list[str]:
    """All steps a unit passes before its production CSID, by the digits TSCZ of its CSR."""
    profiles = [name for name, digit in zip(("standard", "simplified"), invoice_types, strict=False) if digit == "1"]
    return [f"{profile}{note}-compliant" for profile in profiles for note in ("", "-credit-note", "-debit-note")]


def signed_properties_text(element: etree._Element) -> str:
    """SignedProperties as the authority's Java code prints them: every ds: element declares its own namespace."""
    return "".join(_printed(element, {}))


def _printed(element: etree._Element, declared: dict[str | None, str]) -> Iterator[str]:
    """An element with its comments; `declared` are the prefixes that stand in the text already."""
    fresh = {prefix: uri for prefix, uri in _prefixes_of(element).items() if declared.get(prefix) != uri}
    name = etree.QName(element)
    tag = f"{element.prefix}:{name.localname}" if element.prefix else name.localname
    yield f"<{tag}"
    yield from (f" xmlns{f':{prefix}' if prefix else ''}={_quoted(uri)}" for prefix, uri in fresh.items())
    yield from (f" {key}={_quoted(value)}" for key, value in element.attrib.items())
    if not len(element) and not element.text:
        yield "/>"
        return
    yield ">" + _escaped(element.text or "")
    for child in element:
        is_element = isinstance(child.tag, str)
        yield from _printed(child, declared | fresh) if is_element else (_as_it_stands(child),)
        yield _escaped(child.tail or "")
    yield f"</{tag}>"


def _prefixes_of(element: etree._Element) -> dict[str | None, str]:
    """The element's own prefix first, then those its tag declares in the document."""
    above = element.getparent()
    known = {} if above is None else above.nsmap
    new = {prefix: uri for prefix, uri in element.nsmap.items() if known.get(prefix) != uri} if known else {}
    return {element.prefix: etree.QName(element).namespace or "", **new}


def _as_it_stands(comment: etree._Element) -> str:
    return str(etree.tostring(comment, with_tail=False, encoding="unicode"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(value: str) -> str:
    return '"' + _escaped(value).replace('"', "&quot;") + '"'


def tags_of(encoded: str) -> dict[int, bytes]:
    """The tags of a QR: base64 of one-byte tag, BER length, value, in their order.

    ValueError if it is cut off, not base64 in one piece, or says a tag twice.
    """
    content = base64.b64decode(encoded, validate=True)
    tags: dict[int, bytes] = {}
    place = 0
    while place < len(content):
        tag, (length, start) = content[place], _length(content, place + 1)
        if start + length > len(content):
            raise ValueError(f"tag {tag} is cut off")
        if tag in tags:
            raise ValueError(f"tag {tag} stands twice")
        tags[tag] = content[start : start + length]
        place = start + length
    return tags


def _length(content: bytes, place: int) -> tuple[int, int]:
    """A BER length and where the value begins."""
    if place >= len(content):
        raise ValueError("a tag without length")
    first = content[place]
    if first < 0x80:
        return first, place + 1
    more = first & 0x7F
    if not more:
        raise ValueError("a length without end")
    return int.from_bytes(content[place + 1 : place + 1 + more]), place + 1 + more


def tag_bytes(tag: int, value: bytes) -> bytes:
    """One tag of a QR with its length in BER."""
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + value
