"""Asking the child process about a file."""

from __future__ import annotations

import subprocess
import sys
import threading

from dashboard.clients.documents.looking import sniffing
from dashboard.clients.documents.looking.child import REFUSED
from dashboard.clients.documents.looking.reasons import NotTaken, Reason
from dashboard.clients.documents.vocabulary import DocumentKind
from dashboard.errors import DomainError
from dashboard.settings import ROOT

#: of the clock, for a file that makes the child sleep rather than compute
SECONDS = 20.0
#: children of one process at once, each with as much memory as a child may take; others wait for their turn
AT_ONCE = 2
PATIENCE_SECONDS = 15.0
_turns = threading.BoundedSemaphore(AT_ONCE)


class Busy(DomainError):
    """All children are at work."""

    status = 503
    code = "busy"
    retry_after = 5


def _ask(what: str, content: bytes, kind: DocumentKind, *more: str) -> bytes:
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise Busy("Many files are looked at now. Nothing was changed; try again in a moment.")
    try:
        done = subprocess.run(
            [sys.executable, "-E", "-s", "-B", "-m", "dashboard.clients.documents.looking.child", what, kind, *more],
            input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env={}, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotTaken(Reason.COSTLY) from None
    finally:
        _turns.release()
    if done.returncode == 0:
        return done.stdout
    if done.returncode == REFUSED:
        raise NotTaken(Reason(done.stdout.decode()))
    if done.returncode < 0:
        # killed by a limit, or by what it does to a decoder
        raise NotTaken(Reason.COSTLY)
    raise RuntimeError(f"the process that looks at files ended with status {done.returncode}")


def examine(content: bytes) -> tuple[DocumentKind, int]:
    """What a file is, and how many pages it has. Raises NotTaken, Busy."""
    kind = sniffing.kind_of(content)
    sniffing.check_ends(content, kind)
    return kind, int(_ask("check", content, kind))


def picture_of(content: bytes, kind: DocumentKind, page: int) -> bytes:
    """A page (from 1) of a PDF, or the picture itself, as a PNG of screen size. Raises NotTaken, Busy."""
    return _ask("show", content, kind, str(page))
