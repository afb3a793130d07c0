"""The kind of a file by its first bytes, its ends by its last, and what is hidden between.

Pure reading of bytes; nothing is decoded here. Formats: JPEG (ITU T.81), PNG (W3C), WebP (RFC 9649), PDF (ISO 32000).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable

from dashboard.clients.documents.looking.reasons import NotTaken, Reason
from dashboard.clients.documents.vocabulary import DocumentKind

#: a file that some browser, script engine or unpacker would take for something else
_PROGRAM = re.compile(rb"<script[\s>/]|<!doctype\s{1,9}html|<html[\s>]|<\?php|<svg[\s>/][^>]{0,300}xmlns", re.I)
_TAGS = rb"html|head|body|script|iframe|meta|a|div|table"
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<(?:" + _TAGS + rb")\b)", re.I | re.S)
_SVG = re.compile(rb"<svg[\s>/]|<!doctype\s+svg", re.I)
#: how far browsers look when they guess (WHATWG MIME sniffing)
_SNIFFED = 1445
#: ZIP (office documents too), RAR, 7z, gzip, bzip2, xz, the old office documents
_ARCHIVES = (
    b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ",
    b"\xd0\xcf\x11\xe0",
)  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"
_BLANK = b"\x00\t\n\x0c\r "


def kind_of(content: bytes) -> DocumentKind:
    """What the file is. Raises NotTaken for everything that is not one of the four kinds from its first byte on."""
    if not content:
        raise NotTaken(Reason.EMPTY)
    if content.startswith(b"\xff\xd8\xff"):
        return DocumentKind.JPEG
    if content.startswith(_PNG):
        return DocumentKind.PNG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return DocumentKind.WEBP
    if re.match(rb"%PDF-[12]\.[0-9]", content):
        return DocumentKind.PDF
    head = content[:_SNIFFED].removeprefix(b"\xef\xbb\xbf")
    if content.startswith(_ARCHIVES):
        raise NotTaken(Reason.ARCHIVE)
    if _SVG.search(head):
        raise NotTaken(Reason.SVG)
    if _HTML.match(head):
        raise NotTaken(Reason.HTML)
    # readers of PDF look for the header in the first 1,024 bytes: what stands before it is something else
    if b"%PDF-" in head:
        raise NotTaken(Reason.POLYGLOT)
    raise NotTaken(Reason.UNKNOWN)


def check_ends(content: bytes, kind: DocumentKind) -> None:
    """The file is whole, nothing stands behind its end, and it is nothing else at the same time. Raises NotTaken."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        raise NotTaken(Reason.POLYGLOT)
    _ENDS[kind](content)
    if _PROGRAM.search(content):
        raise NotTaken(Reason.POLYGLOT)


def _png(content: bytes) -> None:
    """Chunk after chunk with its checksum; IEND is the end."""
    place, first = len(_PNG), True
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        name = content[place + 4 : place + 8]
        data_end = place + 8 + length
        if data_end + 4 > len(content) or first != (name == b"IHDR"):
            raise NotTaken(Reason.DAMAGED)
        if zlib.crc32(content[place + 4 : data_end]) != int.from_bytes(content[data_end : data_end + 4], "big"):
            raise NotTaken(Reason.DAMAGED)
        if name == b"acTL":
            raise NotTaken(Reason.ANIMATED)
        place, first = data_end + 4, False
        if name == b"IEND":
            if content[place:].strip(_BLANK):
                raise NotTaken(Reason.APPENDED)
            return
    raise NotTaken(Reason.DAMAGED)


#: markers without a length: TEM, RST0 to RST7
_BARE = {0x01, *range(0xD0, 0xD8)}


def _jpeg(content: bytes) -> None:
    """Segment after segment to the EOI marker."""
    place = 2
    while True:
        if place + 2 > len(content) or content[place] != 0xFF:
            raise NotTaken(Reason.DAMAGED)
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        place += 2
        if marker == 0xD9:
            break
        if marker in _BARE:
            continue
        length = int.from_bytes(content[place : place + 2], "big")
        if length < 2 or place + length > len(content):
            raise NotTaken(Reason.DAMAGED)
        if marker == 0xE0:
            _check_jfif(content[place + 2 : place + length])
        place += length
        if marker == 0xDA:
            place = _after_scan(content, place)
    if content[place:].strip(_BLANK):
        raise NotTaken(Reason.APPENDED)


def _check_jfif(data: bytes) -> None:
    """A JFIF header has the length that its thumbnail needs; a longer one is where scripts are hidden."""
    if data.startswith(b"JFIF\x00") and (len(data) < 14 or len(data) != 14 + 3 * data[12] * data[13]):
        raise NotTaken(Reason.POLYGLOT)


def _after_scan(content: bytes, place: int) -> int:
    """Where the next marker stands after entropy-coded data."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0 or place + 1 >= len(content):
            raise NotTaken(Reason.DAMAGED)
        following = content[place + 1]
        if following == 0x00 or 0xD0 <= following <= 0xD7:
            place += 2
        elif following == 0xFF:
            place += 1
        else:
            return place


def _webp(content: bytes) -> None:
    """The length in the header is the file's."""
    whole = int.from_bytes(content[4:8], "little") + 8
    if whole > len(content):
        raise NotTaken(Reason.DAMAGED)
    if content[whole:].strip(_BLANK):
        raise NotTaken(Reason.APPENDED)
    if content[12:16] == b"VP8X" and len(content) > 20 and content[20] & 0x02:
        raise NotTaken(Reason.ANIMATED)


def _pdf(content: bytes) -> None:
    """The last %%EOF ends the file."""
    end = content.rfind(b"%%EOF")
    if end < 0:
        raise NotTaken(Reason.DAMAGED)
    if content[end + 5 :].strip(_BLANK):
        raise NotTaken(Reason.APPENDED)
    # nothing that looks like an archive may begin in it either: unpackers search from wherever they like
    if content.rfind(b"PK\x05\x06") >= 0 and content.rfind(b"PK\x01\x02") >= 0:
        raise NotTaken(Reason.POLYGLOT)


_ENDS: dict[DocumentKind, Callable[[bytes], None]] = {
    DocumentKind.PNG: _png,
    DocumentKind.JPEG: _jpeg,
    DocumentKind.WEBP: _webp,
    DocumentKind.PDF: _pdf,
}
