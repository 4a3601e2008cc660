"""What the simulator reads in a document: its own reading, by XPath, of any UBL invoice that comes in."""

import base64
import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Final

from lxml import etree

from gateway import xml

# Left out of the hash, each with the white space after it kept: signatures and QR (BR-KSA-26).
_OUTSIDE_HASH: Final = etree.XPath(
    "//ext:UBLExtensions | //cac:Signature | //cac:AdditionalDocumentReference[normalize-space(cbc:ID) = 'QR']",
    namespaces=xml.NAMESPACES,
)


def without_stamp(root: etree._Element) -> etree._Element:
    """A copy of the document with signatures and QR taken out."""
    bare = copy.deepcopy(root)
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
    """The 32 bytes that stand for a document."""
    canonical = etree.tostring(without_stamp(root), method="c14n", exclusive=False, with_comments=False)
    return hashlib.sha256(canonical).digest()


def hex_digest(content: bytes) -> str:
    """Base64 of the hexadecimal SHA-256: the form of all digests within the signature block."""
    return base64.b64encode(hashlib.sha256(content).hexdigest().encode("ascii")).decode("ascii")


@dataclass(frozen=True)
class Document:
    """A parsed invoice; texts are stripped, and empty where the document has none."""

    source: bytes
    root: etree._Element

    @classmethod
    def read(cls, source: bytes) -> "Document":
        """UnreadableXml if it cannot be parsed."""
        return cls(source, xml.parse(source))

    def text(self, path: str) -> str:
        """The first text at an XPath below the root."""
        found = self.root.xpath(f"string(({path})[1])", namespaces=xml.NAMESPACES)
        return str(found).strip()

    def _reference(self, name: str, path: str) -> str:
        return self.text(f"cac:AdditionalDocumentReference[normalize-space(cbc:ID) = '{name}']/{path}")

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
        text = self._reference("ICV", "cbc:UUID")
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None

    @cached_property
    def pih(self) -> str:
        """KSA-13."""
        return self._reference("PIH", "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")

    @cached_property
    def qr(self) -> str:
        """KSA-14 in base64."""
        return self._reference("QR", "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")

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


def compliance_steps(invoice_types: str) -> list[str]:
    """All steps a unit passes before its production CSID, by the digits TSCZ of its CSR."""
    profiles = [name for name, digit in zip(("standard", "simplified"), invoice_types, strict=False) if digit == "1"]
    return [f"{profile}{note}-compliant" for profile in profiles for note in ("", "-credit-note", "-debit-note")]


def signed_properties_text(element: etree._Element) -> str:
    """SignedProperties as the authority's Java code prints them: every ds: element declares its own namespace."""
    return "".join(_printed(element, frozenset()))


def _printed(element: etree._Element, declared: frozenset[str]) -> Iterator[str]:
    name = etree.QName(element)
    tag = f"{element.prefix}:{name.localname}" if element.prefix else name.localname
    yield f"<{tag}"
    if name.namespace not in declared:
        yield f' xmlns:{element.prefix}="{name.namespace}"'
    yield from (f' {key}="{escape(value)}"' for key, value in element.attrib.items())
    children = [child for child in element if isinstance(child.tag, str)]
    if not children and not element.text:
        yield "/>"
        return
    yield ">" + escape(element.text or "", quote=False)
    for child in children:
        yield from _printed(child, declared | {name.namespace})
        yield escape(child.tail or "", quote=False)
    yield f"</{tag}>"


def tags_of(encoded: str) -> dict[int, bytes]:
    """The tags of a QR: base64 of one-byte tag, BER length, value. ValueError if it is cut off or not base64."""
    content = base64.b64decode(encoded, validate=True)
    tags: dict[int, bytes] = {}
    place = 0
    while place < len(content):
        tag, (length, start) = content[place], _length(content, place + 1)
        if start + length > len(content):
            raise ValueError(f"tag {tag} is cut off")
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
    return int.from_bytes(content[place + 1 : place + 1 + more]), place + 1 + more


def tag_bytes(tag: int, value: bytes) -> bytes:
    """One tag of a QR with its length in BER."""
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + value
