"""What can be done to a stamped document, and what the authority says to it; no byte moves but the one that is meant.

`codes` are those of the authority's answer about QR, stamp and link. `is_refused` is apart from them, for a wrong time
in the QR only earns a warning. Edits work on text, so that they mean the same for every implementation.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

import fatoora
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.xml import DS, XADES
from tests.stamp_documents import CERTS, KEY, OTHER_CERTIFICATE

CERTIFICATE = x509.load_pem_x509_certificate((CERTS / "unit.pem").read_bytes())
SIGNER = fatoora.Signer.from_pem(
    CERTIFICATE.public_bytes(Encoding.PEM).decode(),
    KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
)
"""Stamps with CERTIFICATE by an implementation that is not ours."""

Tags = list[tuple[int, bytes]]


class Tampering(NamedTuple):
    edit: Callable[[str], str]
    codes: frozenset[str] = frozenset()
    is_refused: bool = True


# --- where to cut -----------------------------------------------------------------------------------------------------


def text_of(tag: str, xml: str, *, place: int = 0) -> str:
    return _found(tag, xml, place).group(1)


def _found(tag: str, xml: str, place: int) -> re.Match[str]:
    return list(re.finditer(rf"<{tag}(?:\s[^>]*)?>([^<]*)</{tag}>", xml))[place]


def text(tag: str, change: Callable[[str], str], *, place: int = 0) -> Callable[[str], str]:
    """Changes the text of an element; `place` counts those of its name from the document's beginning."""

    def edit(xml: str) -> str:
        found = _found(tag, xml, place)
        return xml[: found.start(1)] + change(found.group(1)) + xml[found.end(1) :]

    return edit


def part(tag: str, change: Callable[[str], str]) -> Callable[[str], str]:
    """Changes the first element of this name as a whole."""
    return _matched(rf"<{tag}[\s>].*?</{tag}>", change)


def reference(name: str, change: Callable[[str], str]) -> Callable[[str], str]:
    """Changes the additional document reference ICV, PIH or QR as a whole."""
    return _matched(_reference(name), change)


def _reference(name: str) -> str:
    tag = "cac:AdditionalDocumentReference"
    return rf"<{tag}(?:\s[^>]*)?>\s*<cbc:ID>{name}</cbc:ID>.*?</{tag}>"


def _matched(pattern: str, change: Callable[[str], str]) -> Callable[[str], str]:
    def edit(xml: str) -> str:
        found = _search(pattern, xml)
        return xml[: found.start()] + change(found.group()) + xml[found.end() :]

    return edit


def _search(pattern: str, xml: str) -> re.Match[str]:
    found = re.search(pattern, xml, re.DOTALL)
    assert found, f"nothing to edit: {pattern}"
    return found


def without_stamp(xml: str) -> str:
    """The document before anyone stamped it, the white space around the stamp's parts kept."""
    for remove in (part("ext:UBLExtensions", _nothing), reference("QR", _nothing), part("cac:Signature", _nothing)):
        xml = remove(xml)
    return xml


def _nothing(_: str) -> str:
    return ""


def replaced(old: str, new: str) -> Callable[[str], str]:
    def edit(xml: str) -> str:
        assert old in xml, f"nothing to edit: {old}"
        return xml.replace(old, new, 1)

    return edit


def qr_text(change: Callable[[str], str]) -> Callable[[str], str]:
    return reference("QR", text("cbc:EmbeddedDocumentBinaryObject", change))


def qr_tags(change: Callable[[Tags], Tags]) -> Callable[[str], str]:
    return qr_text(lambda encoded: written(change(read(encoded))))


def qr_of(xml: str) -> str:
    found = _search(_reference("QR"), xml).group()
    return text_of("cbc:EmbeddedDocumentBinaryObject", found)


def read(encoded: str) -> Tags:
    data, tags, at = base64.b64decode(encoded), Tags(), 0
    while at < len(data):
        start, size = at + 2, data[at + 1]
        if size > 0x7F:
            start, size = start + (size & 0x7F), int.from_bytes(data[start : start + (size & 0x7F)], "big")
        tags.append((data[at], data[start : start + size]))
        at = start + size
    return tags


def written(tags: Tags) -> str:
    return base64.b64encode(b"".join(_written(*tag) for tag in tags)).decode()


def _written(tag: int, value: bytes) -> bytes:
    size = bytes((len(value),)) if len(value) < 0x80 else b"\x81" + bytes((len(value),))
    return bytes((tag,)) + size + value


def other_letter(value: str) -> str:
    """The same text with one letter changed in its middle."""
    middle = len(value) // 2
    return value[:middle] + ("B" if value[middle] == "A" else "A") + value[middle + 1 :]


def digest_anew(edit: Callable[[str], str]) -> Callable[[str], str]:
    """Changes the signed properties and gives them a digest that fits, as a forger can who has no key."""

    def edited(xml: str) -> str:
        xml = edit(xml)
        properties = _search(r"<xades:SignedProperties .*?</xades:SignedProperties>", xml).group()
        printed = re.sub(r"<(ds:\w+)", rf'<\1 xmlns:ds="{DS}"', properties)
        printed = printed.replace(" Id=", f' xmlns:xades="{XADES}" Id=', 1)
        digest = base64.b64encode(hashlib.sha256(printed.encode()).hexdigest().encode()).decode()
        return text("ds:DigestValue", lambda _: digest, place=1)(xml)

    return edited


def _other_tag(number: int) -> Callable[[Tags], Tags]:
    return lambda tags: [(tag, value[:-1] + bytes((value[-1] ^ 1,)) if tag == number else value) for tag, value in tags]


def _without_tag(number: int) -> Callable[[Tags], Tags]:
    return lambda tags: [tag for tag in tags if tag[0] != number]


# --- what is done, and what comes of it -------------------------------------------------------------------------------

QR, HASH_IN_QR, TIME_IN_QR = "QRCODE_INVALID", "invoiceHash_QRCODE_INVALID", "invoiceTimeStamp_QRCODE_INVALID"
AUTHORITY_IN_QR = "CERTIFICATE_SIGNATURE_QRCODE_INVALID"
SIGNATURE, PROPERTIES, CERTIFICATE_CODE = (
    "invalid-digital-signature",
    "signed-properties-hashing",
    "invalid-signing-certificate",
)

_OF_TAG = {3: TIME_IN_QR, 6: HASH_IN_QR, 9: AUTHORITY_IN_QR}
_CHANGED_BODY = frozenset({HASH_IN_QR, SIGNATURE})


def _block(edit: Callable[[str], str], *codes: str) -> Tampering:
    return Tampering(edit, frozenset(codes))


_TIME = "<xades:SigningTime>"
AFTER_EXPIRY = "2060-01-01T00:00:00"

SIGNATURE_BLOCK = {
    "certificate digest": _block(text("ds:DigestValue", other_letter, place=2), PROPERTIES, CERTIFICATE_CODE),
    "issuer": _block(text("ds:X509IssuerName", other_letter), PROPERTIES, "X509IssuerName"),
    "issuer without blanks": _block(
        text("ds:X509IssuerName", lambda name: name.replace(", ", ",")), PROPERTIES, "X509IssuerName"
    ),
    "serial": _block(text("ds:X509SerialNumber", lambda number: number + "1"), PROPERTIES, "X509SerialNumber"),
    "signing time": _block(text("xades:SigningTime", lambda _: "2026-11-23T00:00:00"), PROPERTIES),
    "white space in the signed properties": _block(replaced(_TIME, " " + _TIME), PROPERTIES),
    "comment in the signed properties": _block(replaced(_TIME, "<!-- a -->" + _TIME), PROPERTIES),
    "certificate digest, fitting": _block(
        digest_anew(text("ds:DigestValue", other_letter, place=2)), CERTIFICATE_CODE
    ),
    "issuer, fitting": _block(digest_anew(text("ds:X509IssuerName", other_letter)), "X509IssuerName"),
    "serial, fitting": _block(digest_anew(text("ds:X509SerialNumber", lambda it: it + "1")), "X509SerialNumber"),
    "expired, fitting": _block(digest_anew(text("xades:SigningTime", lambda _: AFTER_EXPIRY)), CERTIFICATE_CODE),
    "no signing time, fitting": _block(digest_anew(part("xades:SigningTime", lambda _: "")), CERTIFICATE_CODE),
    "signature": _block(text("ds:SignatureValue", other_letter), SIGNATURE, QR),
    "signature that is none": _block(text("ds:SignatureValue", lambda _: "AAAA"), SIGNATURE, QR),
    "invoice digest": _block(text("ds:DigestValue", other_letter), SIGNATURE),
    "properties digest": _block(text("ds:DigestValue", other_letter, place=1), PROPERTIES),
    "certificate": _block(text("ds:X509Certificate", lambda _: OTHER_CERTIFICATE.text), CERTIFICATE_CODE),
    "certificate that is none": _block(text("ds:X509Certificate", lambda _: "AAAA"), CERTIFICATE_CODE),
    "extensions removed": _block(part("ext:UBLExtensions", lambda _: ""), SIGNATURE, QR),
    "second cac:Signature": _block(part("cac:Signature", lambda found: found * 2), SIGNATURE),
    "second signature block": _block(
        part("ext:UBLExtension", lambda found: found + re.sub(r' Id="[^"]*"', "", found)), SIGNATURE
    ),
    "second certificate": _block(part("ds:X509Certificate", lambda found: found * 2), SIGNATURE),
}  # fmt: skip

QR_CODE = {
    **{
        f"QR tag {number} changed": Tampering(
            qr_tags(_other_tag(number)), frozenset({_OF_TAG.get(number, QR)}), is_refused=number != 3
        )
        for number in range(1, 10)
    },
    **{f"QR tag {number} removed": Tampering(qr_tags(_without_tag(number)), frozenset({_OF_TAG.get(number, QR)}))
       for number in range(1, 10)},
    "QR tag said twice": _block(qr_tags(lambda tags: [*tags, tags[0]]), QR),
    "QR tag said twice, wrong at first": _block(qr_tags(lambda tags: [(1, b"x"), *tags]), QR),
    "QR tag unknown": _block(qr_tags(lambda tags: [*tags, (10, b"x")]), QR),
    "QR tags in another order": _block(qr_tags(lambda tags: tags[::-1]), QR),
    "QR cut off": _block(qr_text(lambda encoded: encoded[:-4]), QR),
    "QR with white space around": _block(qr_text(lambda encoded: f"\n{encoded}\n"), QR),
    "QR with a length without end": _block(
        qr_text(lambda encoded: base64.b64encode(base64.b64decode(encoded) + b"\x0a\x80").decode()), QR
    ),
    "QR twice": _block(reference("QR", lambda found: found * 2), SIGNATURE),
    "QR removed": _block(reference("QR", lambda _: ""), QR),
}  # fmt: skip

BODY = {
    "line amount": Tampering(text("cbc:PriceAmount", lambda amount: amount + "1"), _CHANGED_BODY),
    "PIH": Tampering(
        reference("PIH", text("cbc:EmbeddedDocumentBinaryObject", lambda _: base64.b64encode(bytes(32)).decode())),
        _CHANGED_BODY,
    ),
    "PIH that is no hash": Tampering(
        reference("PIH", text("cbc:EmbeddedDocumentBinaryObject", lambda _: "AAAA")), _CHANGED_BODY | {"KSA-13"}
    ),
    "second PIH": Tampering(reference("PIH", lambda found: found * 2), _CHANGED_BODY | {"KSA-13"}),
    "ICV": Tampering(reference("ICV", text("cbc:UUID", lambda number: number + "1")), _CHANGED_BODY),
    "UUID": Tampering(text("cbc:UUID", lambda uuid: uuid[:-1] + ("0" if uuid[-1] != "0" else "1")), _CHANGED_BODY),
    "seller": Tampering(text("cbc:RegistrationName", lambda name: name + "."), _CHANGED_BODY | {QR}),
    "white space in the body": Tampering(replaced("<cbc:UUID>", " <cbc:UUID>"), _CHANGED_BODY),
    "instruction before the root": Tampering(replaced("<Invoice", "<?page a?><Invoice"), _CHANGED_BODY),
    "attribute": Tampering(replaced('mimeCode="text/plain"', 'mimeCode="text/plain" filename="a"'), _CHANGED_BODY),
}

UNREADABLE = {
    "document type": replaced("<Invoice", "<!DOCTYPE Invoice><Invoice"),
    "entity": replaced("<Invoice", '<!DOCTYPE Invoice [<!ENTITY a "b">]><Invoice'),
    "cut off": lambda xml: xml[:-20],
    "relative namespace": replaced("<cbc:UUID>", '<cbc:UUID xmlns:a="b">'),
}
"""What is refused before anything is judged, as breaking the schema."""

HARMLESS = {
    "untouched": Tampering(lambda xml: xml, is_refused=False),
    "comment in the body": Tampering(replaced("<cbc:UUID>", "<!-- a --><cbc:UUID>"), is_refused=False),
    "comment in an amount": Tampering(
        text("cbc:PayableAmount", lambda amount: f"{amount[:2]}<!-- a -->{amount[2:]}"), is_refused=False
    ),
    "comment before the root": Tampering(replaced("<Invoice", "<!-- a --><Invoice"), is_refused=False),
    "lines ended as on Windows": Tampering(lambda xml: xml.replace("\n", "\r\n"), is_refused=False),
    "XML declaration": Tampering(lambda xml: '<?xml version="1.0" encoding="UTF-8"?>\n' + xml, is_refused=False),
    "signing time, fitting": Tampering(
        digest_anew(text("xades:SigningTime", lambda _: "2026-11-23T00:00:00")), is_refused=False
    ),
    "character reference": Tampering(text("cbc:UUID", lambda uuid: f"&#{ord(uuid[0])};{uuid[1:]}"), is_refused=False),
    "blank in a tag": Tampering(replaced("<cbc:UUID>", "<cbc:UUID >"), is_refused=False),
}  # fmt: skip

TAMPERINGS = {**SIGNATURE_BLOCK, **QR_CODE, **BODY, **HARMLESS}
