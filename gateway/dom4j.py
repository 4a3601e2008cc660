"""XML as the library dom4j prints it, over which the official signer makes a digest: an element alone, without C14N."""

from collections.abc import Mapping

from lxml import etree

from gateway.template import as_text


def printed(element: etree._Element) -> str:
    """An element of a document as its asXML() gives it."""
    parent = element.getparent()
    return _printed(element, {}, parent.nsmap if parent is not None else {})


_Prefixes = Mapping[str | None, str]


def _printed(element: etree._Element, declared: _Prefixes, above: _Prefixes) -> str:
    """Its own namespace stands first, and when empty it is closed in itself without a blank.

    `declared` are the prefixes that the text printed around it declares, `above` those the document does.
    """
    uri, _, local = element.tag.rpartition("}")
    here = element.nsmap
    wanted = {element.prefix: uri[1:], **{each: here[each] for each in here if above.get(each) != here[each]}}
    fresh = {prefix: uri for prefix, uri in wanted.items() if declared.get(prefix, "") != uri}
    name = f"{element.prefix}:{local}" if element.prefix else local
    tag = [name, *(f'xmlns:{prefix}="{uri}"' if prefix else f'xmlns="{uri}"' for prefix, uri in fresh.items())]
    tag += [f'{_attribute_name(here, key)}="{_quoted(value)}"' for key, value in element.items()]
    content = as_text(element.text or "")
    for child in element:
        is_element = isinstance(child.tag, str)
        content += _printed(child, {**declared, **fresh}, here) if is_element else _as_it_stands(child)
        content += as_text(child.tail or "")
    return f"<{' '.join(tag)}>{content}</{name}>" if content else f"<{' '.join(tag)}/>"


def _as_it_stands(comment: etree._Element) -> str:
    return str(etree.tostring(comment, with_tail=False, encoding="unicode"))


def _attribute_name(prefixes: _Prefixes, key: str) -> str:
    uri, _, local = key.rpartition("}")
    prefix = next((prefix for prefix, bound in prefixes.items() if prefix and uri and bound == uri[1:]), None)
    return f"{prefix}:{local}" if prefix else local


def _quoted(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
