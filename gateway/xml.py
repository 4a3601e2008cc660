"""Reading XML that may come from anywhere: no DOCTYPE, no entities, no network, a size limit.

One parser for the whole project, so that every part sees the same document.
"""

from typing import Final

from lxml import etree

from gateway.errors import UnreadableXml

MAX_XML_BYTES: Final = 2_000_000
"""Largest document read, in bytes; a 1000-line invoice has about 660 kB."""

MAX_ATTRIBUTES: Final = 100
"""Most attributes of one element; UBL has at most ten, and canonicalising many takes the square of their time."""
_HAS_FLOOD: Final = etree.XPath(f"boolean(//*/@*[{MAX_ATTRIBUTES + 1}])")

INVOICE: Final = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
EXT: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
NAMESPACES: Final = {"ubl": INVOICE, "cac": CAC, "cbc": CBC, "ext": EXT, "ds": DS, "xades": XADES}


def parse(data: bytes, *, limit: int = MAX_XML_BYTES) -> etree._Element:
    """The root element of a document; UnreadableXml if it cannot or must not be read."""
    if len(data) > limit:
        raise UnreadableXml(f"The XML has {len(data)} bytes; at most {limit} are read.", fix="Split the document.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableXml(f"This is not well-formed XML: {error}.", fix="Export the document again.") from None
    # A DOCTYPE can declare entities that a hardened parser then drops without a word.
    if root.getroottree().docinfo.doctype:
        raise UnreadableXml("The XML has a DOCTYPE, which an invoice never needs.", fix="Remove the DOCTYPE line.")
    if _HAS_FLOOD(root):
        raise UnreadableXml(f"An element has more than {MAX_ATTRIBUTES} attributes.", fix="Export the document again.")
    return root


def canonical(root: etree._Element) -> bytes:
    """Inclusive C14N without comments; 1.0 and 1.1 differ only in xml:* attributes, which UBL has none of.

    Of a whole document, processing instructions beside its root are part of it.
    """
    document = root.getroottree()
    whole = document if document.getroot() is root else root
    return bytes(etree.tostring(whole, method="c14n", with_comments=False))
