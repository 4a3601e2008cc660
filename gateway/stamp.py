"""The stamp: hash, XAdES signature and QR, which make an XML invoice a document.

Signs any UBL invoice, ours or another system's, and changes not a byte of what is not the stamp. The private key is
somewhere else; all that is asked of it is a signature. Judging stamps is for gateway.rules.stamped. Specification:
Security Features Implementation Standards; where they leave room, the files of the authority's own SDK decide.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import islice
from typing import Final, NamedTuple
from xml.parsers import expat

from lxml import etree

from gateway import qr
from gateway.csid import Certificate
from gateway.dom4j import printed
from gateway.errors import BadInput, UnreadableXml
from gateway.invoice.facts import RIYADH
from gateway.qr_facts import QrFacts, is_simplified_code, qr_facts, qr_of, transaction_code
from gateway.template import as_text
from gateway.xml import CAC, CBC, EXT, INVOICE, NAMESPACES, XADES, canonical, parse

MAX_PARTS: Final = 100
"""Most elements taken for parts of a stamp in one document, which has four."""

MAX_PROPERTIES: Final = 100
"""Most elements of SignedProperties whose digest is made; the official ones have 11."""


@dataclass(frozen=True, slots=True)
class Document:
    """A stamped document; only `stamp` makes one, and its bytes never change again.

    `uuid` is KSA-1, `hash` the invoice hash, `signature` the ECDSA signature and `qr` the QR's TLV, these in base64.
    """

    uuid: str
    xml: bytes
    hash: str
    signature: str
    qr: str

    @property
    def raw_signature(self) -> bytes:
        """The signature in DER."""
        return base64.b64decode(self.signature)


def stamp(body: bytes, *, sign: Callable[[bytes], bytes], certificate: Certificate, signing_time: datetime) -> Document:
    """The document made of an invoice; a stamp that it already has is replaced.

    `sign` gets the 32 bytes of the invoice hash and returns their ECDSA-SHA256 signature in DER, made with the key of
    `certificate`. BadInput if `body` is no invoice that can carry a stamp.
    """
    assert signing_time.tzinfo is not None, "the signing time carries its zone"
    root = parse(body)
    unsigned = _unsigned(body, root)
    facts, code = qr_facts(root), transaction_code(root)
    stamped = _stamped(unsigned, facts, code, sign, certificate, signing_time)
    # In canonical bytes markup is nowhere but where it is seen, so there a stamp cannot reach into the hash.
    assert unsigned.is_canonical or invoice_hash(stamped.xml) == stamped.hash, "the stamp has changed what it signs"
    return stamped


def stamp_rendered(
    body: bytes,
    facts: QrFacts,
    *,
    uuid: str,
    code: str,
    sign: Callable[[bytes], bytes],
    certificate: Certificate,
    signing_time: datetime,
) -> Document:
    """The same of what gateway.ubl has rendered, which is canonical and has no stamp: nothing of it is parsed again.

    `facts` and `code` (KSA-2) are what the document says. That all of this is so is for the caller to prove.
    """
    assert body.startswith(_ROOT), "a rendered document begins with the root's tag"
    digest, seller_at = hashlib.sha256(body).digest(), body.index(_SELLER)
    rendered = _Unsigned(body, uuid, digest, len(_ROOT), seller_at, is_canonical=True)
    return _stamped(rendered, facts, code, sign, certificate, signing_time)


def _stamped(
    unsigned: "_Unsigned",
    facts: QrFacts,
    code: str,
    sign: Callable[[bytes], bytes],
    certificate: Certificate,
    signing_time: datetime,
) -> Document:
    hash_text, signature = _base64(unsigned.digest), _base64(sign(unsigned.digest))
    tags = qr.encode(_qr_tags(facts, code, hash_text, signature, certificate))
    extensions = _extensions(hash_text, signature, certificate, signing_time)
    xml = unsigned.with_stamp(extensions.encode(), _REFERENCES.format(qr=tags).encode())
    return Document(unsigned.uuid, xml, hash_text, signature, tags)


def is_as_made(document: Document, root: etree._Element, certificate: Certificate, signing_time: datetime) -> bool:
    """Whether every byte is what `stamp` writes of an invoice in canonical form with this signature, and it verifies.

    `root` is the document parsed. Faster than judging a stamp, and stricter; False does not say what is wrong.
    """
    tags = qr.encode(_qr_tags(qr_facts(root), transaction_code(root), document.hash, document.signature, certificate))
    begin = _ROOT + _extensions(document.hash, document.signature, certificate, signing_time).encode()
    before, found, after = document.xml.partition(_REFERENCES.format(qr=document.qr).encode() + _SELLER)
    if tags != document.qr or not found or not before.startswith(begin):
        return False
    digest = hashlib.sha256(_ROOT + before[len(begin) :] + _SELLER + after).digest()
    return _base64(digest) == document.hash and certificate.verifies(base64.b64decode(document.signature), digest)


# --- the invoice hash -------------------------------------------------------------------------------------------------


def invoice_hash(xml: bytes) -> str:
    """SHA-256, in base64, of what is signed of an invoice: its C14N 1.1 form without signature and QR (BR-KSA-26)."""
    return hash_of(parse(xml))


def hash_of(root: etree._Element, parts: list[etree._Element] | None = None) -> str:
    """The same of a parsed invoice, whose `stamp_parts` may be known already. The stamp leaves the tree for a moment,
    which is far cheaper than a copy."""
    return _base64(_digest(root, parts))


def stamp_parts(root: etree._Element) -> list[etree._Element]:
    """What the hash leaves out, wherever it stands: the extensions, every signature, the QR's reference.

    Local names decide, as in the official implementation. BadInput if there are far more than a stamp ever has.
    """
    found = root.iter("{*}UBLExtensions", "{*}Signature", "{*}AdditionalDocumentReference")
    parts = [each for each in found if each is not root and (_local(each) in _ALWAYS_OUT or _is_qr_reference(each))]
    if len(parts) > MAX_PARTS:
        raise BadInput(f"The invoice has {len(parts)} signatures and QRs.", fix="An invoice has one of each.")
    return parts


_ALWAYS_OUT: Final = frozenset({"UBLExtensions", "Signature"})


def _is_qr_reference(reference: etree._Element) -> bool:
    return any((each.text or "").split() == ["QR"] for each in reference.iterchildren(f"{{{CBC}}}ID"))


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _digest(root: etree._Element, parts: list[etree._Element] | None = None) -> bytes:
    """The 32 bytes of the invoice hash; the tree is afterwards what it was."""
    put_back = [_take_out(part) for part in (stamp_parts(root) if parts is None else parts)]
    try:
        return hashlib.sha256(_canonical(root)).digest()
    finally:
        for undo in reversed(put_back):
            undo()


def _canonical(root: etree._Element) -> bytes:
    try:
        return canonical(root)
    except etree.C14NError as error:
        raise BadInput(f"The invoice has no canonical form: {error}.", fix="Give its namespaces full names.") from None


def _take_out(element: etree._Element) -> Callable[[], None]:
    """Remove an element, but not the white space after it, which lxml counts as its own; returns how to undo it."""
    parent, before = element.getparent(), element.getprevious()
    assert parent is not None
    place = parent.index(element)
    text = parent.text if before is None else before.tail
    joined = (text or "") + (element.tail or "") or None
    parent.remove(element)
    _set_text(parent, before, joined)

    def undo() -> None:
        _set_text(parent, before, text)
        parent.insert(place, element)

    return undo


def _set_text(parent: etree._Element, before: etree._Element | None, text: str | None) -> None:
    """The text after `before`, or at the parent's beginning."""
    if before is None:
        parent.text = text
    else:
        before.tail = text


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- the invoice without a stamp --------------------------------------------------------------------------------------

# The root's tag as gateway.ubl writes it, in canonical form.
_ROOT: Final = f'<Invoice xmlns="{INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}" xmlns:ext="{EXT}">'.encode()
_SUPPLIER: Final = f"{{{CAC}}}AccountingSupplierParty"
_SELLER: Final = b"<cac:AccountingSupplierParty>"
_PREFIXES: Final = {"ext": EXT, "cac": CAC, "cbc": CBC}  # those the stamp's own text uses


class _Unsigned(NamedTuple):
    """An invoice without a stamp: its bytes and UUID, its hash (raw), and where the two parts of a stamp go."""

    body: bytes
    uuid: str
    digest: bytes
    extensions_at: int
    references_at: int
    is_canonical: bool

    def with_stamp(self, extensions: bytes, references: bytes) -> bytes:
        first, second = self.extensions_at, self.references_at
        return b"".join((self.body[:first], extensions, self.body[first:second], references, self.body[second:]))


def _unsigned(body: bytes, root: etree._Element) -> _Unsigned:
    if root.tag != f"{{{INVOICE}}}Invoice":
        raise BadInput(f"The document is a {_local(root)}, not a UBL invoice.", fix="Stamp UBL 2.1 invoices only.")
    supplier = root.find(_SUPPLIER)
    if supplier is None:
        raise BadInput("The invoice has no seller (cac:AccountingSupplierParty).", fix="Add the seller, BG-4.")
    parts = stamp_parts(root)
    if not parts and body.startswith(_ROOT) and next(root.iter(_SUPPLIER)) is supplier and _canonical(root) == body:
        seller_at = body.index(_SELLER)
        return _Unsigned(body, _uuid(root), hashlib.sha256(body).digest(), len(_ROOT), seller_at, is_canonical=True)
    return _cleaned(body, root, supplier, [part for part in parts if _is_old_stamp(part)])


def _uuid(root: etree._Element) -> str:
    return _required(root.findtext(f"{{{CBC}}}UUID", ""), "UUID (KSA-1)")


def _is_old_stamp(part: etree._Element) -> bool:
    """A signer takes away extensions and QRs wherever they are, but of the signatures only the invoice's own child."""
    parent = part.getparent()
    return _local(part) != "Signature" or (parent is not None and parent.getparent() is None)


def _cleaned(body: bytes, root: etree._Element, supplier: etree._Element, old: Collection[etree._Element]) -> _Unsigned:
    """The same of an invoice in any spelling: an old stamp is cut out of the bytes, missing prefixes are declared."""
    encoding = root.getroottree().docinfo.encoding or "UTF-8"
    if encoding.upper() != "UTF-8" or b"\0" in body:  # UTF-16 may go undeclared, but shows by its zeros
        raise BadInput("The invoice is not in UTF-8.", fix="Save it as UTF-8, as the authority wants it.")
    spans = _spans(body, root, {root, supplier, *old})
    after_root_tag = _tag_end(body, spans[root].start)
    edits = [_Edit(after_root_tag - 1, after_root_tag - 1, _missing_declarations(root))]
    edits += [_Edit(spans[part].start, spans[part].end, b"") for part in _outermost(old)]
    unsigned = _edited(body, edits)
    return _Unsigned(
        unsigned,
        _uuid(root),
        _digest(parse(unsigned)),
        _moved(after_root_tag, edits),
        _moved(spans[supplier].start, edits),
        is_canonical=False,
    )


def _missing_declarations(root: etree._Element) -> bytes:
    """Declarations of the prefixes the stamp uses; they are signed with the rest, so they belong on the root."""
    for prefix, uri in _PREFIXES.items():
        if root.nsmap.get(prefix, uri) != uri:
            raise BadInput(f"The invoice uses the prefix {prefix} for {root.nsmap[prefix]}.", fix=f"Use it for {uri}.")
    return "".join(f' xmlns:{each}="{uri}"' for each, uri in _PREFIXES.items() if each not in root.nsmap).encode()


def _outermost(elements: Collection[etree._Element]) -> list[etree._Element]:
    """Those that are in none of the others."""
    return [each for each in elements if not any(ancestor in elements for ancestor in each.iterancestors())]


class _Edit(NamedTuple):
    """The bytes from `start` to `end` are replaced."""

    start: int
    end: int
    by: bytes


def _edited(body: bytes, edits: Iterable[_Edit]) -> bytes:
    pieces, at = [], 0
    for edit in sorted(edits):
        pieces += [body[at : edit.start], edit.by]
        at = edit.end
    return b"".join((*pieces, body[at:]))


def _moved(place: int, edits: Iterable[_Edit]) -> int:
    """Where a place of the original is after the edits."""
    return place + sum(len(edit.by) - (edit.end - edit.start) for edit in edits if edit.end <= place)


class _Span(NamedTuple):
    """Where an element stands in the bytes, tags included."""

    start: int
    end: int


def _spans(body: bytes, root: etree._Element, wanted: Collection[etree._Element]) -> dict[etree._Element, _Span]:
    """Where elements stand in the bytes. lxml does not tell; expat does, and meets the elements in the same order."""
    elements = iter(root.iter(etree.Element))
    spans: dict[etree._Element, _Span] = {}
    open_elements: list[tuple[etree._Element, int]] = []
    parser = expat.ParserCreate()

    def start(_name: str, _attributes: Mapping[str, str]) -> None:
        open_elements.append((next(elements), parser.CurrentByteIndex))

    def end(_name: str) -> None:
        element, at = open_elements.pop()
        if element in wanted:
            first_tag_end = _tag_end(body, at)
            is_empty_tag = body[first_tag_end - 2 : first_tag_end] == b"/>"
            spans[element] = _Span(at, first_tag_end if is_empty_tag else _tag_end(body, parser.CurrentByteIndex))

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise UnreadableXml(f"This is not well-formed XML 1.0: {error}.", fix="Export the document again.") from None
    return spans


_TAG: Final = re.compile(rb"""</?[^\s<>/="']+(?:\s+[^\s<>/="']+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")


def _tag_end(body: bytes, at: int) -> int:
    """Where the tag ends that begins `at`; a value in it may have the sign that ends a tag."""
    tag = _TAG.match(body, at)
    assert tag is not None, "a parser has seen a tag where there is none"
    return tag.end()


# --- the parts of a stamp ---------------------------------------------------------------------------------------------


def _part(first: str, last: str) -> str:
    """A part of the template, byte for byte."""
    text = resources.files("ubl_templates").joinpath("stamp.xml").read_text(encoding="utf-8")
    start = text.index(first)
    return text[start : text.index(last, start) + len(last)]


def _as_dom4j_prints(properties: str) -> str:
    """SignedProperties as the official signer sees them when it makes their digest: printed alone, without C14N, so
    that a prefix is declared again wherever it is not in scope."""
    declared = re.sub(r"<(ds:\w+)", rf'<\1 xmlns:ds="{NAMESPACES["ds"]}"', properties)
    return declared.replace("<xades:SignedProperties", f'<xades:SignedProperties xmlns:xades="{XADES}"', 1)


def _with_any_values(properties: str) -> re.Pattern[str]:
    """SignedProperties of the official form as a document has them, after their first tag. Of the values only those
    without markup, of which every printer makes the same."""
    content = re.escape(properties.partition(">")[2])
    return re.compile(re.sub(r"\\\{\w+\\\}", r"([^<>&\r]+)", content))


_EXTENSIONS: Final = _part("<ext:UBLExtensions>", "</ext:UBLExtensions>")
_OWN_PROPERTIES: Final = _part("<xades:SignedProperties ", "</xades:SignedProperties>")
_PROPERTIES: Final = _as_dom4j_prints(_OWN_PROPERTIES)
_OFFICIAL_FORM: Final = _with_any_values(_OWN_PROPERTIES)
_REFERENCES: Final = _part("<cac:AdditionalDocumentReference>", "</cac:Signature>")


def _extensions(invoice_hash: str, signature: str, certificate: Certificate, signing_time: datetime) -> str:
    marks = {
        "signing_time": signing_time.astimezone(RIYADH).replace(tzinfo=None).isoformat(timespec="seconds"),
        "certificate_digest": certificate.digest,
        "issuer": as_text(certificate.issuer),
        "serial": str(certificate.serial),
    }
    return _EXTENSIONS.format(
        invoice_hash=invoice_hash,
        properties_digest=hex_digest(_PROPERTIES.format(**marks)),
        signature=signature,
        certificate=certificate.text,
        **marks,
    )


def hex_digest(text: str) -> str:
    """Base64 of the hex SHA-256: so the official signer writes the digests of texts, and only the invoice's raw."""
    return _base64(hashlib.sha256(text.encode()).hexdigest().encode())


def signed_properties_digest(properties: etree._Element) -> str:
    """The digest of any document's SignedProperties, made over their own white space; BadInput if they have no end."""
    return hex_digest(_official_print(properties) or _generic_print(properties))


def _official_print(properties: etree._Element) -> str:
    """What `_generic_print` makes of them if they are of the official form, which is told far faster; else empty."""
    text = etree.tostring(properties, with_tail=False, encoding="unicode")
    found = _OFFICIAL_FORM.fullmatch(text, text.find(">") + 1)
    if found is None or not _begins_officially(properties):
        return ""
    signing_time, certificate_digest, issuer, serial = found.groups()
    return _PROPERTIES.format(
        signing_time=signing_time, certificate_digest=certificate_digest, issuer=issuer, serial=serial
    )


def _begins_officially(properties: etree._Element) -> bool:
    """The first tag too, and every prefix means what it should; none is declared here that is not declared above."""
    parent, prefixes = properties.getparent(), properties.nsmap
    return (
        properties.tag == f"{{{XADES}}}SignedProperties"
        and properties.prefix == "xades"
        and properties.items() == [("Id", "xadesSignedProperties")]
        and prefixes.get("ds") == NAMESPACES["ds"]
        and parent is not None
        and parent.nsmap == prefixes
    )


def _generic_print(properties: etree._Element) -> str:
    if sum(1 for _ in islice(properties.iter(), MAX_PROPERTIES + 1)) > MAX_PROPERTIES:
        raise BadInput("The signed properties have too many elements.", fix="Stamp the document again.")
    return printed(properties)


# --- the QR -----------------------------------------------------------------------------------------------------------

_TERMS: Final = QrFacts("seller name (BT-27)", "seller VAT number (BT-31)", "date and time of issue (BT-2, KSA-25)",
                        "amount due (BT-115)", "VAT total (BT-110)")  # fmt: skip


def qr_text(xml: bytes) -> str:
    """The QR an invoice carries, in base64; BadInput if it has none."""
    return _required(qr_of(parse(xml)), "QR (KSA-14)")


def _qr_tags(facts: QrFacts, code: str, hash_text: str, signature: str, certificate: Certificate) -> Iterator[qr.Tag]:
    for number, (fact, term) in enumerate(zip(facts, _TERMS, strict=True), 1):
        yield qr.Tag(number, _required(fact, term).encode())
    yield qr.Tag(6, hash_text.encode())
    yield qr.Tag(7, signature.encode())
    yield qr.Tag(8, certificate.public_key)
    if is_simplified_code(code):
        yield qr.Tag(9, certificate.ca_signature)


def _required(value: str, what: str) -> str:
    if not value.strip():
        raise BadInput(f"The invoice has no {what}.", fix="A document without it cannot be stamped: add it.")
    return value
