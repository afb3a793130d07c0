"""Reading PDFs: structure and contents with qpdf (pikepdf), pages with PDFium. Runs in the child process only.

What acts is refused: scripts, launched programs, sent forms, other files inside, XFA (ISO 32000-2, 12.6.4 and 7.11).
Links that a person has to click stay.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import pikepdf
import pypdfium2
from PIL import Image

from dashboard.clients.documents.looking.pictures import LONGEST_SIDE, MOST_PIXELS, as_png
from dashboard.clients.documents.looking.reasons import NotTaken, Reason

MOST_PAGES = 200
MOST_OBJECTS = 200_000
#: all compressed streams of a file together, unpacked, in bytes: a scan of 200 pages needs less
MOST_UNPACKED = 768 * 1024 * 1024
_STEP = 1024 * 1024

_ACTIONS = frozenset(
    {
        "/JavaScript", "/Launch", "/GoToR", "/GoToE", "/SubmitForm", "/ImportData", "/Rendition", "/Movie", "/Sound",
        "/RichMediaExecute", "/GoTo3DView", "/SetOCGState", "/Hide", "/Trans",
    }
)  # fmt: skip
_SCRIPTS = frozenset({"/JS", "/JavaScript", "/XFA", "/RichMediaContent", "/RichMediaSettings"})
_FILES = frozenset({"/EmbeddedFiles", "/EF", "/AF"})
_LIVELY = frozenset({"/RichMedia", "/Screen", "/Movie", "/Sound", "/3D"})


def checked(content: bytes) -> int:
    """The number of pages of a PDF that is whole, quiet and small enough. Raises NotTaken."""
    try:
        document = _opened(content)
        pages = len(document.pages)
        if not pages:
            raise NotTaken(Reason.DAMAGED)
        if pages > MOST_PAGES:
            raise NotTaken(Reason.PAGES)
        _walk(document)
    except pikepdf.PasswordError:
        raise NotTaken(Reason.PASSWORD) from None
    except MemoryError:
        raise NotTaken(Reason.COSTLY) from None
    except (pikepdf.PdfError, ValueError, RuntimeError, RecursionError):
        raise NotTaken(Reason.DAMAGED) from None
    page_as_png(content, 1, longest_side=200)
    return pages


def _opened(content: bytes) -> pikepdf.Pdf:
    """The document; one whose password is empty is opened as everybody opens it."""
    document = pikepdf.open(io.BytesIO(content), attempt_recovery=False, suppress_warnings=True)
    if document.is_encrypted:
        plain = io.BytesIO()
        document.save(plain, encryption=False)
        document = pikepdf.open(plain, attempt_recovery=False, suppress_warnings=True)
    return document


def _walk(document: pikepdf.Pdf) -> None:
    """Every object of the file, reachable or not."""
    opening = document.Root.get("/OpenAction")
    if isinstance(opening, pikepdf.Dictionary) and str(opening.get("/S", "/GoTo")) != "/GoTo":
        raise NotTaken(Reason.ACTIVE)
    unpacked = 0
    for number, found in enumerate(document.objects):
        if number > MOST_OBJECTS:
            raise NotTaken(Reason.COSTLY)
        _look(found)
        if isinstance(found, pikepdf.Stream):
            unpacked += _unpacked(found, MOST_UNPACKED - unpacked)


def _look(found: Any) -> None:
    """One object and what stands directly in it."""
    waiting: list[Any] = [found]
    while waiting:
        each = waiting.pop()
        if isinstance(each, pikepdf.Stream) and "/F" in each:
            # its content lies in a file outside
            raise NotTaken(Reason.EMBEDDED)
        if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
            keys = set(each.keys())
            if keys & _SCRIPTS or str(each.get("/S", "")) in _ACTIONS:
                raise NotTaken(Reason.ACTIVE)
            subtype = str(each.get("/Subtype", ""))
            if keys & _FILES or str(each.get("/Type", "")) == "/EmbeddedFile" or subtype == "/FileAttachment":
                raise NotTaken(Reason.EMBEDDED)
            if subtype in _LIVELY:
                raise NotTaken(Reason.ACTIVE)
            if subtype == "/Image":
                _check_size(each)
            values = [each[key] for key in keys]
        elif isinstance(each, pikepdf.Array):
            values = list(each)
        else:
            continue
        # what is referred to comes by itself
        waiting += [
            value for value in values
            if isinstance(value, pikepdf.Dictionary | pikepdf.Array) and not value.is_indirect
        ]  # fmt: skip


def _check_size(picture: Any) -> None:
    try:
        pixels = int(picture.get("/Width", 0)) * int(picture.get("/Height", 0))
    except (TypeError, ValueError):
        raise NotTaken(Reason.DAMAGED) from None
    # a fax page has one bit for each
    if pixels > 4 * MOST_PIXELS:
        raise NotTaken(Reason.BOMB)


def _unpacked(stream: pikepdf.Stream, room: int) -> int:
    """How many bytes a stream unpacks to, layer by layer, without ever holding them; beyond `room` it is a bomb."""
    filters: Any = stream.get("/Filter", [])
    names = [str(each) for each in filters] if isinstance(filters, pikepdf.Array) else [str(filters)]
    layers = 0
    for name in names:
        if name not in {"/FlateDecode", "/Fl"}:
            break
        layers += 1
    if not layers:
        return 0
    total = 0
    raw = stream.read_raw_bytes()
    unpackers = [zlib.decompressobj() for _ in range(layers)]
    for start in range(0, len(raw), 65536):
        total += _through(unpackers, raw[start : start + 65536], room - total)
    return total


def _through(unpackers: list[Any], piece: bytes, room: int) -> int:
    """The bytes that a piece becomes in all layers together."""
    first, *rest = unpackers
    total, left = 0, piece
    while left and not first.eof:
        try:
            out = first.decompress(left, _STEP)
        except zlib.error:
            # readers forgive a bad stream, and show what they could read of it
            return total
        left = first.unconsumed_tail
        total += len(out)
        if rest and out:
            total += _through(rest, out, room - total)
        if total > room:
            raise NotTaken(Reason.BOMB)
        if not out:
            break
    return total


def page_as_png(content: bytes, number: int, *, longest_side: int = LONGEST_SIDE) -> bytes:
    """One page, counted from 1, as it would be printed, annotations included; nothing in it is run. Raises NotTaken."""
    try:
        document = pypdfium2.PdfDocument(content)
        page = document[number - 1]
        width, height = page.get_size()
        if not (0 < width < 20_000 and 0 < height < 20_000):
            raise NotTaken(Reason.DAMAGED)
        picture: Image.Image = page.render(scale=longest_side / max(width, height)).to_pil()
    except (pypdfium2.PdfiumError, IndexError, ValueError):
        raise NotTaken(Reason.DAMAGED) from None
    except MemoryError:
        raise NotTaken(Reason.COSTLY) from None
    return as_png(picture)
