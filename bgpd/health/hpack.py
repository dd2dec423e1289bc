"""Header fields of HTTP/2 as bytes and back: what a client needs that sends few and reads all.

What we send is never indexed and never compressed, which every server must read; what we receive
may be all that the standard knows.

Supported standards: RFC 7541.
"""

from typing import Final, TypeAlias

from bgpd.model.errors import ProtocolError

Fields: TypeAlias = list[tuple[str, str]]

_TABLE_SIZE: Final = 4096
"""What a decoder has room for unless it says otherwise (RFC 9113, section 6.5.2)."""
_OVERHEAD: Final = 32
_MOST_FIELDS: Final = 256
_LONGEST_INTEGER: Final = 4

# Appendix A: `name` or `name=value`; index 1 comes first.
_STATIC_TEXT: Final = """\
:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|\
:status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500|\
accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|\
access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|\
content-encoding|content-language|content-length|content-location|content-range|content-type|\
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|\
if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|\
proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|\
strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"""
STATIC: Final = tuple(
    (name, value) for name, _, value in (entry.partition("=") for entry in _STATIC_TEXT.split("|"))
)

# Appendix B: how many bits the code of each byte has, and at last of the end of a string. Codes
# are given out in order of length and then of value, so the lengths are all there is to know.
_LENGTHS: Final = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c"
    "060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
    "0d06070707070707070707070707070707070707070707070807080d130d0e06"
    "0f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
    "1416141416161617161717171717181718181617181717171715161716171718"
    "1615141616171715171616181516171715151615171617171416161617161617"
    "1a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b"
    "14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a"
    "1e"
)
_END_OF_STRING: Final = 256


def _codes() -> dict[tuple[int, int], int]:
    """Return the byte of each code, by the code's length and value."""
    codes, code, before = {}, 0, 0
    for length, byte in sorted((length, byte) for byte, length in enumerate(_LENGTHS)):
        code <<= length - before
        codes[length, code] = byte
        code, before = code + 1, length
    return codes


_CODES: Final = _codes()


def encode(fields: Fields) -> bytes:
    """Return *fields* as literals that are not indexed (section 6.2.2)."""
    return b"".join(b"\0" + _plain(name) + _plain(value) for name, value in fields)


class Decoder:
    """Reads the header blocks of one connection, in order."""

    def __init__(self) -> None:
        self._table: Fields = []
        self._limit = _TABLE_SIZE

    def decode(self, block: bytes) -> Fields:
        """Return the fields of one block, or raise `ProtocolError`."""
        try:
            return self._decode(block)
        except IndexError as error:
            raise ProtocolError("a header block ends too early") from error

    def _decode(self, block: bytes) -> Fields:
        fields: Fields = []
        at = 0
        while at < len(block):
            if len(fields) >= _MOST_FIELDS:
                raise ProtocolError(f"more than {_MOST_FIELDS} header fields")
            first = block[at]
            if first & 0x80:  # section 6.1: indexed
                index, at = _integer(block, at, 7)
                fields.append(self._entry(index))
            elif first & 0xE0 == 0x20:  # section 6.3: another size of the table
                self._limit, at = _integer(block, at, 5)
                if self._limit > _TABLE_SIZE:
                    raise ProtocolError("a header table larger than agreed")
                self._evict()
            else:
                field, at = self._literal(block, at, indexed=bool(first & 0x40))
                fields.append(field)
        return fields

    def _literal(self, block: bytes, at: int, *, indexed: bool) -> tuple[tuple[str, str], int]:
        """Return one literal field (section 6.2) and where it ends."""
        index, at = _integer(block, at, 6 if indexed else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        if indexed:
            self._table.insert(0, (name, value))
            self._evict()
        return (name, value), at

    def _entry(self, index: int) -> tuple[str, str]:
        if 1 <= index <= len(STATIC):
            return STATIC[index - 1]
        if 0 <= index - len(STATIC) - 1 < len(self._table):
            return self._table[index - len(STATIC) - 1]
        raise ProtocolError(f"header field number {index}, which there is not")

    def _evict(self) -> None:
        """Forget the oldest entries until the table is within its limit (section 4.3)."""
        size = sum(len(name) + len(value) + _OVERHEAD for name, value in self._table)
        while size > self._limit:
            name, value = self._table.pop()
            size -= len(name) + len(value) + _OVERHEAD


def _plain(text: str) -> bytes:
    """Return a string that is not compressed (section 5.2), of any length."""
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, prefix = len(data) - 127, bytearray(b"\x7f")
    while rest >= 128:
        prefix.append(rest & 127 | 128)
        rest >>= 7
    return bytes(prefix) + bytes([rest]) + data


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Return an integer that begins in the low *bits* of a byte (section 5.1), and its end."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, 7 * _LONGEST_INTEGER, 7):
        byte = block[at]
        at += 1
        value += (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ProtocolError("a number in a header block is too long")


def _string(block: bytes, at: int) -> tuple[str, int]:
    """Return a string (section 5.2) and its end."""
    compressed = block[at] & 128
    length, at = _integer(block, at, 7)
    if at + length > len(block):
        raise ProtocolError("a string reaches beyond its header block")
    data = block[at : at + length]
    text = _decompress(data) if compressed else data
    return text.decode("utf-8", "replace"), at + length


def _decompress(data: bytes) -> bytes:
    """Return what the bits of *data* stand for; padding is less than a byte of ones."""
    found = bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code = code << 1 | (byte >> shift & 1)
            length += 1
            symbol = _CODES.get((length, code))
            if symbol is None:
                continue
            if symbol == _END_OF_STRING:
                raise ProtocolError("a string holds its own end")
            found.append(symbol)
            code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise ProtocolError("a compressed string ends within a character")
    return bytes(found)
