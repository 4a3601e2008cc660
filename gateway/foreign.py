"""Another system's own UBL document, which gets its UUID and its link here and nothing else.

Everything that system says stays as it is: the elements, their order, the white space between them. What comes out is
spelled as our own documents are: the canonical form (C14N) with their prefixes, the same bytes whenever it is made.
"""

import hashlib
import re
from copy import deepcopy
from typing import Final, NamedTuple

from lxml import etree

from gateway.chain import Link
from gateway.errors import UnusableOrder
from gateway.qr_facts import qr_of
from gateway.stamp import stamp_parts
from gateway.xml import CAC, CBC, EXT, INVOICE, canonical, parse

LONGEST_NUMBER: Final = 127
"""Characters of BT-1, as for the number that an order gives."""
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PREFIXES: Final = {None: INVOICE, "cac": CAC, "cbc": CBC, "ext": EXT}
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_GIVEN_HERE: Final = ("ICV", "PIH", "QR")
"""References that only the gateway can write; what another system wrote there is a placeholder."""
_AFTER_REFERENCES: Final = [f"{{{CAC}}}{name}" for name in ("ProjectReference", "Signature", "AccountingSupplierParty")]


class Foreign(NamedTuple):
    """Such a document: its number (BT-1), its UUID (KSA-1) if it has one, and the digest that tells its versions apart,
    which white space within tags and comments do not change."""

    number: str
    uuid: str
    digest: str
    root: etree._Element


def read_foreign(body: bytes) -> Foreign:
    """The document, unsigned; UnreadableXml and UnusableOrder say why it can be none."""
    root = deepcopy(parse(body))  # without what stands beside the root
    etree.strip_tags(root, etree.Comment, etree.PI)
    if root.tag != f"{{{INVOICE}}}Invoice":
        raise _unusable("/", "The document is not a UBL invoice.", "Send an Invoice of the namespace Invoice-2.")
    if next(root.iter(f"{{{EXT}}}UBLExtensions"), None) is not None or qr_of(root):
        raise _unusable(
            "ext:UBLExtensions", "The document is stamped already.", "Send it without extensions, QR and signature."
        )
    if any(each.getparent() is not root for each in stamp_parts(root)):
        raise _unusable(
            "cac:Signature", "A part of a stamp stands where no stamp is.", "Leave out signatures and QRs of parts."
        )
    number, uuid = _text(root, "ID"), _text(root, "UUID").lower()
    if not number or len(number) > LONGEST_NUMBER or not number.isprintable():
        raise _unusable(
            "cbc:ID", "The document has no usable number (BT-1).", f"Give it 1 to {LONGEST_NUMBER} characters."
        )
    if uuid and not _UUID.fullmatch(uuid):
        raise _unusable("cbc:UUID", "The UUID (KSA-1) is none.", "Give a UUID of RFC 9562, or leave it out.")
    try:
        digest = hashlib.sha256(canonical(root)).hexdigest()
    except etree.C14NError:
        raise _unusable(
            "/", "The document has no canonical form.", "Give its namespaces full names (absolute)."
        ) from None
    return Foreign(number, uuid, digest, root)


def linked(foreign: Foreign, *, uuid: str, link: Link) -> bytes:
    """The document with its UUID and its place in the chain, in canonical form: what is judged, hashed and stamped."""
    root = _respelled(foreign.root)
    for each in (*root.findall(f"{{{CAC}}}Signature"), *root.findall(f"{{{CAC}}}AdditionalDocumentReference")):
        if each.tag.endswith("}Signature") or _text(each, "ID") in _GIVEN_HERE:
            _drop(each)
    _put_uuid(root, uuid)
    _put_link(root, link)
    return canonical(root)


def _respelled(root: etree._Element) -> etree._Element:
    """A copy with the prefixes of our own documents. What its root says of where a schema lies (xsi:) is left out."""
    copy = etree.Element(root.tag, nsmap=_PREFIXES)
    for name, value in root.items():
        if not name.startswith(_XSI):
            copy.set(name, value)
    _copy_into(copy, root)
    return copy


def _copy_into(copy: etree._Element, original: etree._Element) -> None:
    copy.text = original.text
    for each in original:
        child = etree.SubElement(copy, each.tag, dict(each.attrib))
        _copy_into(child, each)
        child.tail = each.tail


def _put_uuid(root: etree._Element, uuid: str) -> None:
    """KSA-1, where the schema has it."""
    present = root.find(f"{{{CBC}}}UUID")
    if present is None:
        present = etree.Element(f"{{{CBC}}}UUID")
        before = root.find(f"{{{CBC}}}CopyIndicator")
        before = root.find(f"{{{CBC}}}ID") if before is None else before
        assert before is not None, "a foreign document has a number"
        root.insert(root.index(before) + 1, present)
    present.text = uuid


def _put_link(root: etree._Element, link: Link) -> None:
    """KSA-16 and KSA-13, behind the references that are there."""
    references = root.findall(f"{{{CAC}}}AdditionalDocumentReference")
    following = next((each for each in root if each.tag in _AFTER_REFERENCES), None)
    place = root.index(references[-1]) + 1 if references else len(root) if following is None else root.index(following)
    counter, previous = _reference("ICV"), _reference("PIH")
    etree.SubElement(counter, f"{{{CBC}}}UUID").text = str(link.icv)
    attachment = etree.SubElement(previous, f"{{{CAC}}}Attachment")
    etree.SubElement(attachment, f"{{{CBC}}}EmbeddedDocumentBinaryObject", mimeCode="text/plain").text = link.pih
    root[place:place] = [counter, previous]


def _reference(name: str) -> etree._Element:
    reference = etree.Element(f"{{{CAC}}}AdditionalDocumentReference", nsmap=_PREFIXES)
    etree.SubElement(reference, f"{{{CBC}}}ID").text = name
    return reference


def _drop(element: etree._Element) -> None:
    """Without the white space behind it, so that indented documents stay so."""
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _text(node: etree._Element, name: str) -> str:
    return (node.findtext(f"{{{CBC}}}{name}") or "").strip()


def _unusable(place: str, what: str, fix: str) -> UnusableOrder:
    return UnusableOrder(what, problems=((place, what),), fix=fix, ar="المستند غير صالح للإصدار. راجع الحقل المذكور.")
