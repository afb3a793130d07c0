"""Files that the tests of documents upload: honest ones, and those that are not what they say."""

from __future__ import annotations

import functools
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pikepdf
from fpdf import FPDF
from PIL import Image, PngImagePlugin

from dashboard.clients.documents.store import Store


def picture(form: str = "PNG", *, size: tuple[int, int] = (60, 40), colour: str = "teal") -> bytes:
    """A small still picture: PNG, JPEG, WEBP or GIF."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def noise(megabytes: int) -> bytes:
    """A PNG of about so many megabytes."""
    side = int((megabytes * 1024**2 / 3) ** 0.5)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(out, "PNG", compress_level=0)
    return out.getvalue()


def pdf(*lines: str, pages: int = 1) -> bytes:
    """A PDF with these lines on each page."""
    made = FPDF()
    for _ in range(pages):
        made.add_page()
        made.set_font("helvetica", size=16)
        for line in lines or ("Certificate of registration",):
            made.cell(0, 10, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())


def pdf_of(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF written by hand: objects 1, 2, … (1 is the catalog, 2 the pages), the table and the trailer."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, table)
    return bytes(out)


CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>"


def with_catalog(more: bytes, *others: bytes) -> bytes:
    """A PDF of one empty page whose catalog says more."""
    return pdf_of(b"<</Type/Catalog/Pages 2 0 R" + more + b">>", PAGES, PAGE, *others)


def packed(content: bytes, layers: int = 1) -> bytes:
    """A stream object whose content is compressed already, so many times."""
    return b"<</Length %d/Filter[%s]>>\nstream\n" % (len(content), b"/FlateDecode" * layers) + content + b"\nendstream"


def flate(content: bytes) -> bytes:
    """A stream object, compressed."""
    return packed(zlib.compress(content, 9))


def bomb(megabytes: int = 900) -> bytes:
    """What unpacks to so many megabytes of zeros: one packed megabyte, again and again."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\x00" * 1_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * megabytes


def archive(name: str = "inside.txt", content: bytes = b"inside") -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is as large as that, and would be."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    row = b"\x00" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_with_text(size: int) -> bytes:
    """A PNG with a compressed text of so many bytes."""
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * size, zip=True)
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def animated(form: str) -> bytes:
    """A picture that moves."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def jpeg_with_script() -> bytes:
    """A JPEG that script engines read too: its header is as long as the text `/*`."""
    plain = picture("JPEG")
    rest = plain[4 + int.from_bytes(plain[4:6], "big") :]
    data = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"*/=alert(1);/*"
    return b"\xff\xd8\xff\xe0" + struct.pack(">H", 0x2F2A) + data.ljust(0x2F2A - 2, b"\x00") + rest


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
GIF_SCRIPT = b"GIF89a/*" + b"\x00" * 20 + b"*/=1;alert(1)"


@functools.cache
def hostile() -> dict[str, tuple[str, bytes, str]]:
    """Name of the trick: the file's name, its content, and the reason it is refused for."""
    png, jpg, paper = picture("PNG"), picture("JPEG"), pdf()
    script = b"<</S/JavaScript/JS(app.alert(1))>>"
    return {
        "nothing": ("empty.pdf", b"", "empty"),
        "a web page named pdf": ("statement.pdf", HTML, "html"),
        "a web page behind a comment": ("statement.pdf", b"\n<!-- x -->\n<body onload=alert(1)>", "html"),
        "a drawing with a script": ("photo.png", SVG, "svg"),
        "an archive named pdf": ("papers.pdf", archive(), "archive"),
        "text": ("notes.pdf", b"just some words", "unknownType"),
        "a program": ("photo.jpg", b"\x7fELF" + b"\x00" * 60, "unknownType"),
        "a gif that is a script": ("photo.gif", GIF_SCRIPT, "unknownType"),
        "a web page before the pdf": ("statement.pdf", b"<html>" + paper, "html"),
        "words before the pdf": ("statement.pdf", b"words\n" + paper, "polyglot"),
        "a pdf with a web page behind": ("statement.pdf", paper + HTML, "appended"),
        "a pdf with a web page in a comment": (
            "statement.pdf", paper.replace(b"\n", b"\n%<script>alert(1)</script>\n", 1), "polyglot",
        ),
        "a pdf with an archive behind": ("statement.pdf", paper + archive(), "polyglot"),
        "a jpeg with an archive behind": ("photo.jpg", jpg + archive(), "polyglot"),
        "a jpeg with another archive behind": ("photo.jpg", jpg + b"Rar!\x1a\x07\x00 and so on", "appended"),
        "a jpeg that is a script": ("photo.jpg", jpeg_with_script(), "polyglot"),
        "a jpeg with php in a comment": (
            "photo.jpg", jpg[:2] + b"\xff\xfe\x00\x14<?php system($x); " + jpg[2:], "polyglot",
        ),
        "a jpeg cut off": ("photo.jpg", jpg[: len(jpg) // 2], "damaged"),
        "a png with bytes behind": ("photo.png", png + b"more", "appended"),
        "a png with a wrong checksum": ("photo.png", png[:-20] + b"\x00" + png[-19:], "damaged"),
        "a png of 40,000 by 40,000": ("photo.png", png_of_size(40_000, 40_000), "tooLargeUnpacked"),
        "a png with a text of 90 MB": ("photo.png", png_with_text(90_000_000), "tooLargeUnpacked"),
        "a png that moves": ("photo.png", animated("PNG"), "animated"),
        "a webp that moves": ("photo.webp", animated("WEBP"), "animated"),
        "a webp with bytes behind": ("photo.webp", picture("WEBP") + b"more", "appended"),
        "a pdf cut off": ("paper.pdf", paper[: len(paper) // 2], "damaged"),
        "a pdf without a page": ("paper.pdf", pdf_of(CATALOG, b"<</Type/Pages/Kids[]/Count 0>>"), "damaged"),
        "a pdf that runs a script": ("paper.pdf", with_catalog(b"/OpenAction 4 0 R", script), "activeContent"),
        "a pdf with a hidden script": ("paper.pdf", with_catalog(b"", script), "activeContent"),
        "a pdf with a script in a name written oddly": (
            "paper.pdf", with_catalog(b"", b"<</S/J#61vaScript/#4aS(app.alert(1))>>"), "activeContent",
        ),
        "a pdf that starts a program": ("paper.pdf", with_catalog(b"", b"<</S/Launch/F(cmd.exe)>>"), "activeContent"),
        "a pdf that opens an address": (
            "paper.pdf", with_catalog(b"/OpenAction<</S/URI/URI(http://a.example)>>"), "activeContent",
        ),
        "a pdf with a file inside": (
            "paper.pdf", with_catalog(b"/Names<</EmbeddedFiles<</Names[(a)4 0 R]>>>>",
                                      b"<</Type/Filespec/F(a.zip)/EF<</F 5 0 R>>>>", flate(archive())), "embeddedFile",
        ),
        "a pdf with a form of xml": (
            "paper.pdf", with_catalog(b"/AcroForm<</Fields[]/XFA 4 0 R>>", flate(b"<xdp/>")), "activeContent",
        ),
        "a pdf with a bomb in a stream": ("paper.pdf", with_catalog(b"", packed(bomb())), "tooLargeUnpacked"),
        "a pdf with a bomb in two layers": (
            "paper.pdf", with_catalog(b"", packed(zlib.compress(bomb(), 9), 2)), "tooLargeUnpacked",
        ),
        "a pdf of 201 pages": ("paper.pdf", pdf("x", pages=201), "tooManyPages"),
    }  # fmt: skip


def locked(*, user: str) -> bytes:
    """A PDF of one page whose owner has a password, and its reader this one."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf())) as plain:
        plain.save(out, encryption=pikepdf.Encryption(owner="owner", user=user))
    return out.getvalue()


def files(store: Store) -> list[Path]:
    """Everything that lies in the folder of documents."""
    return [path for path in store.folder.rglob("*") if path.is_file()]
