"""What runs apart: `python -m dashboard.clients.documents.looking.child check|show MEDIA-TYPE [PAGE]`.

The file comes on stdin, the answer goes to stdout. Exit status 0; 3 with the reason in one word when the file is
refused; 1 is our own fault. Whatever else ends it is the file's doing.
"""

from __future__ import annotations

import os
import resource
import sys

from dashboard.clients.documents.looking.reasons import NotTaken, Reason
from dashboard.clients.documents.vocabulary import DocumentKind

MEGABYTE = 1024 * 1024
#: address space, in bytes: the libraries, the file, and one picture of the largest size
MEMORY = 1280 * MEGABYTE
CPU_SECONDS = 10
REFUSED = 3


def confine() -> None:
    """Give away what reading needs not, before the first byte is read: memory, time, writing, other programs."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: list[str]) -> int:
    """Gives the exit status."""
    what, kind, *rest = arguments
    wanted = DocumentKind(kind)
    if wanted is DocumentKind.PDF:
        from dashboard.clients.documents.looking import papers
    from dashboard.clients.documents.looking import pictures

    confine()
    content = sys.stdin.buffer.read()
    refused = None
    try:
        if what == "show":
            page = int(rest[0])
            is_pdf = wanted is DocumentKind.PDF
            answer = papers.page_as_png(content, page) if is_pdf else pictures.preview(content, wanted)
        elif wanted is DocumentKind.PDF:
            answer = str(papers.checked(content)).encode()
        else:
            pictures.decoded(content, wanted)
            answer = b"1"
    except NotTaken as refusal:
        refused = refusal.reason
    except MemoryError:
        refused = Reason.COSTLY
    except Exception:
        # decoders raise what they like: whatever it was, the file cannot be shown
        refused = Reason.DAMAGED
    if refused is not None:
        sys.stdout.write(refused.value)
        sys.stdout.flush()
        return REFUSED
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    # no clean-up: a decoder that was harmed is not asked for anything any more
    os._exit(main(sys.argv[1:]))
