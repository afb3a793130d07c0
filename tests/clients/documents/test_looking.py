"""What a file is, by its bytes; and what is refused, each with its reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboard.clients.documents.looking import asking
from dashboard.clients.documents.looking.reasons import SENTENCES, NotTaken, Reason
from dashboard.clients.documents.names import checked_name, content_disposition
from dashboard.clients.documents.vocabulary import DocumentKind
from dashboard.errors import Invalid
from dashboard.settings import ROOT
from tests.clients.documents import papers

HOSTILE = papers.hostile()


@pytest.mark.parametrize(
    ("content", "kind", "pages"),
    [
        (papers.picture("PNG"), DocumentKind.PNG, 1),
        (papers.picture("JPEG"), DocumentKind.JPEG, 1),
        (papers.picture("WEBP"), DocumentKind.WEBP, 1),
        (papers.pdf(pages=3), DocumentKind.PDF, 3),
    ],
    ids=["png", "jpeg", "webp", "pdf"],
)
def test_honest_files_are_taken_and_can_be_shown(content: bytes, kind: DocumentKind, pages: int) -> None:
    assert asking.examine(content) == (kind, pages)
    shown = asking.picture_of(content, kind, pages)
    assert shown.startswith(b"\x89PNG")


@pytest.mark.parametrize("trick", HOSTILE)
def test_a_file_that_is_not_what_it_says_is_refused_for_its_reason(trick: str) -> None:
    _name, content, reason = HOSTILE[trick]
    with pytest.raises(NotTaken) as refusal:
        asking.examine(content)
    assert refusal.value.reason == reason


def test_every_reason_says_what_to_do() -> None:
    assert set(SENTENCES) == set(Reason)


def test_a_preview_carries_nothing_of_the_file_but_its_colours() -> None:
    original = papers.png_with_text(2_000)
    assert asking.examine(original) == (DocumentKind.PNG, 1)
    shown = asking.picture_of(original, DocumentKind.PNG, 1)
    assert b"IDAT" in shown and not any(name in shown for name in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"))


def test_a_link_that_one_has_to_click_is_no_reason_to_refuse() -> None:
    link = b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(https://register.example)>>>>"
    assert asking.examine(papers.with_catalog(b"/OpenAction[3 0 R /Fit]", link)) == (DocumentKind.PDF, 1)


def test_a_pdf_that_opens_without_a_password_is_read_whatever_else_it_forbids() -> None:
    assert asking.examine(papers.locked(user="")) == (DocumentKind.PDF, 1)
    with pytest.raises(NotTaken) as refusal:
        asking.examine(papers.locked(user="secret"))
    assert refusal.value.reason is Reason.PASSWORD


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("bytearray(4 << 30)", Reason.COSTLY),
        ("open('{there}', 'wb', buffering=0).write(b'x' * 100)", Reason.DAMAGED),
        ("__import__('os').abort()", Reason.COSTLY),
    ],
    ids=["memory", "writing", "crash"],
)
def test_what_a_file_does_to_its_decoder_stays_in_the_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, reason: Reason
) -> None:
    """A decoder that was taken over: here the child does on purpose what a file could make it do."""
    there = tmp_path / "left-behind"
    code = (
        "import os, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from dashboard.clients.documents.looking import child, pictures;"
        f"pictures.decoded = lambda *_: {what.replace('{there}', str(there))};"
        "os._exit(child.main(['check', 'image/png']))"
    )
    started = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        return started([sys.executable, "-c", code], **{**options, "cwd": ROOT})

    monkeypatch.setattr(asking.subprocess, "run", run)
    with pytest.raises(NotTaken) as refusal:
        asking.examine(papers.picture())
    assert refusal.value.reason is reason
    assert not there.exists() or there.stat().st_size == 0


def test_a_file_that_lets_its_decoder_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.001)
    with pytest.raises(NotTaken) as refusal:
        asking.examine(papers.picture())
    assert refusal.value.reason is Reason.COSTLY


def test_who_finds_all_decoders_at_work_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.01)
    for _ in range(asking.AT_ONCE):
        asking._turns.acquire()
    try:
        with pytest.raises(asking.Busy) as busy:
            asking.examine(papers.picture())
    finally:
        for _ in range(asking.AT_ONCE):
            asking._turns.release()
    assert busy.value.status == 503 and busy.value.retry_after


@pytest.mark.parametrize(
    ("given", "kind", "shown"),
    [
        ("passport.jpg", DocumentKind.JPEG, "passport.jpg"),
        ("Паспорт Żółć.PDF", DocumentKind.PDF, "Паспорт Żółć.PDF"),
        ("scan", DocumentKind.PNG, "scan.png"),
        ("photo.exe", DocumentKind.JPEG, "photo.exe.jpg"),
        ("page.html", DocumentKind.PDF, "page.html.pdf"),
        ("  two   blanks .png ", DocumentKind.PNG, "two blanks.png"),
        (".pdf", DocumentKind.PDF, ".pdf.pdf"),
        ("e\u0301cole.pdf", DocumentKind.PDF, "école.pdf"),
    ],
)
def test_names_are_shown_as_given_with_an_ending_that_fits(given: str, kind: DocumentKind, shown: str) -> None:
    assert checked_name(given, kind) == shown


def test_a_long_name_keeps_its_ending() -> None:
    name = checked_name("ü" * 5_000 + ".jpeg", DocumentKind.JPEG)
    assert len(name) == 150 and name.endswith("ü.jpeg")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd.png", "..\\..\\boot.png", "/root/x.png", "C:x.png", "..", "a\x00.png", "a\r\nSet-Cookie: x.png",
     "gnp.\u202eexe.png", "a\u200b.png", "", "   ", "\ufeff", None],
)  # fmt: skip
def test_a_name_with_a_trick_is_refused(name: str | None) -> None:
    with pytest.raises(Invalid) as refusal:
        checked_name(name, DocumentKind.PNG)
    assert [(error.field, error.rule) for error in refusal.value.errors] == [("file", "fileName")]


def test_a_download_has_a_plain_name_and_the_real_one() -> None:
    header = content_disposition('Жук "x"; y\'.pdf')
    assert header == "attachment; filename=\"x y.pdf\"; filename*=UTF-8''%D0%96%D1%83%D0%BA%20%22x%22%3B%20y%27.pdf"
    assert content_disposition("документ.pdf").startswith('attachment; filename="document.pdf";')
