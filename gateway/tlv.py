"""Tag, length, value with BER lengths (ITU-T X.690, 8.1): the QR is made of it, and so is the DER of a CSR.

Tags are single bytes. Knows nothing of what the tags mean.
"""

from collections.abc import Iterator

from gateway.errors import BadInput


def write(tag: int, *parts: bytes) -> bytes:
    """One tag with the length and bytes of its `parts` put together: 127 takes one length byte, 128 is 81 80."""
    value = b"".join(parts)
    return bytes((tag,)) + _length(len(value)) + value


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(digits),)) + digits


def read(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and values of `data` one after the other; BadInput where it breaks off."""
    at = 0
    while at < len(data):
        tag = data[at]
        start, size = _read_length(data, at + 1)
        at = start + size
        if at > len(data):
            raise BadInput(f"Tag {tag} announces {size} bytes and {len(data) - start} are left: the data is cut off.")
        yield tag, data[start:at]


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """Where the value begins and how long it is."""
    first = data[at : at + 1]
    if not first:
        raise BadInput("The data ends where a length is due: it is cut off.")
    if first[0] < 0x80:
        return at + 1, first[0]
    count = first[0] & 0x7F
    digits = data[at + 1 : at + 1 + count]
    if not 1 <= count <= 4 or len(digits) < count:
        raise BadInput(f"The length at byte {at} cannot be read: it is cut off or not in BER's definite form.")
    return at + 1 + count, int.from_bytes(digits, "big")
