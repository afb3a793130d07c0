"""Asking the payer, and what is written down and filed about a receipt."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clients.folding import words
from dashboard.database import session
from dashboard.errors import Invalid, Refused
from dashboard.money import Money
from dashboard.transfers import suggestions
from dashboard.transfers.models import ReceiptEvent, ReceiptFile, Transfer
from dashboard.transfers.services.desk import positions
from dashboard.transfers.vocabulary import ReceiptState

LARGEST_FILE = 5 * 1024 * 1024
LONGEST_FILE_NAME = 100
MOST_FILES = 50

#: only what the payer said themselves goes back to them
LETTER = """Dear payer,

on {booked} we received {money} from you.{remittance}

We could not tell whom this money is for. Please let us know, and quote the reference below:
 - the name of the account holder whom you meant to pay,
 - the account number that you meant to pay to,
 - what the payment is for, with an invoice or contract where there is one.

If you did not mean to pay to us, please ask your bank to call the payment back.

Our reference: {reference}

{institution}
"""


def letter(transfer_id: UUID, *, institution: str) -> str:
    """The text of a question to the payer, to be looked through before it goes. Names nobody but the payer."""
    _, receipt = positions.locked(transfer_id)
    transfer = session().get_one(Transfer, transfer_id)
    day = clock.calendar().today(receipt.booked_at)
    remittance = f" Its reference text reads: “{transfer.remittance}”." if transfer.remittance else ""
    return LETTER.format(
        booked=f"{day.day} {day:%B %Y}",
        money=Money(receipt.amount_minor, receipt.currency),
        remittance=remittance,
        reference=str(transfer_id),
        institution=institution,
    )


def _names_nobody(transfer: Transfer, text: str) -> None:
    """Raises Refused `clientNamed` where the text names a client that the payer did not name."""
    known = set(words(f"{transfer.counterparty_name or ''} {transfer.remittance or ''}"))
    said = words(text)
    joined = f" {' '.join(said)} "
    run_together = "".join(said)
    told = "".join(words(transfer.remittance or ""))
    for candidate in suggestions.candidates(transfer.id).candidates:
        number = candidate.account_number.lower()
        name = words(candidate.client_name)
        if (number in run_together and number not in told) or (
            f" {' '.join(name)} " in joined and not set(name) <= known
        ):
            raise Refused("The letter names a client. A payer is not told who our clients are.", code="clientNamed")


def ask_payer(transfer_id: UUID, *, text: str, by: Actor) -> ReceiptEvent:
    """Record the letter that goes to the payer; the clocks run on.

    Raises NotFound, Conflict `alreadyRequested`, Refused `invalidState`, `clientNamed`, Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN)
    transfer, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    said = positions.text_of(text, "text", longest=positions.LONGEST_TEXT)
    _names_nobody(transfer, said)
    positions.set_state(receipt, ReceiptState.ASKED, asked_at=clock.now())
    session().flush()
    return positions.tell(receipt, "question", said, by=by)


def reply(transfer_id: UUID, *, text: str, by: Actor) -> ReceiptEvent:
    """Record what the payer answered; who was waited for is waited for no longer. Raises NotFound, Invalid."""
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    said = positions.text_of(text, "text", longest=positions.LONGEST_TEXT)
    if receipt.state == ReceiptState.ASKED:
        positions.set_state(receipt, ReceiptState.OPEN)
        session().flush()
    return positions.tell(receipt, "reply", said, by=by)


def note(transfer_id: UUID, *, text: str, by: Actor) -> ReceiptEvent:
    """A note of the desk. Raises NotFound, Invalid, Forbidden."""
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    return positions.tell(receipt, "note", positions.text_of(text, "text", longest=positions.LONGEST_TEXT), by=by)


def attempt(transfer_id: UUID, *, text: str, by: Actor) -> ReceiptEvent:
    """What was tried to find out whose it is: a call, a look into a register. Raises as `note`."""
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    return positions.tell(receipt, "attempt", positions.text_of(text, "text", longest=positions.LONGEST_TEXT), by=by)


#: what a file begins with, its media type, and the ending it is given
_BEGINNINGS = (
    (b"%PDF-", "application/pdf", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
)


def _sniffed(content: bytes) -> tuple[str, str]:
    """Media type and ending, by content alone. Raises Invalid."""
    for beginning, media_type, ending in _BEGINNINGS:
        if content.startswith(beginning):
            return media_type, ending
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if all(letter in "\t\n\r\f\ufeff" or unicodedata.category(letter) != "Cc" for letter in text):
        return "text/plain", "txt"
    raise Invalid.one("file", "Only PDF, PNG, JPEG and plain text are filed.", "type")


def _cleaned(name: str, ending: str) -> str:
    """A file's name without folders and control characters, ending as its content says."""
    last = re.split(r"[\\/]", name)[-1]
    visible = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    stem = re.sub(r"\.(pdf|png|jpe?g|txt)$", "", visible, flags=re.IGNORECASE)
    stem = re.sub(r'[<>:"|?*;\s.]+', " ", stem).strip() or "file"
    return f"{stem[: LONGEST_FILE_NAME - len(ending) - 1].strip()}.{ending}"


def attach(transfer_id: UUID, *, name: str, content: bytes, by: Actor) -> ReceiptFile:
    """File a document with the receipt. Raises NotFound, Invalid (kind, size), Refused `tooManyFiles`, Forbidden."""
    by.require(Permission.TRANSFERS_ASSIGN)
    if not content:
        raise Invalid.one("file", "The file is empty.", "required")
    if len(content) > LARGEST_FILE:
        raise Invalid.one("file", "A file has at most 5 MB.", "tooLong")
    media_type, ending = _sniffed(content)
    _, receipt = positions.locked(transfer_id)
    filed = session().scalar(
        sa.select(sa.func.count()).select_from(ReceiptFile).where(ReceiptFile.transfer_id == transfer_id)
    )
    if (filed or 0) >= MOST_FILES:
        raise Refused(f"{MOST_FILES} files are filed here already.", code="tooManyFiles")
    kept = ReceiptFile(
        transfer_id=receipt.transfer_id,
        name=_cleaned(name, ending),
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        at=clock.now(),
        by_id=by.id,
        by_name=by.name,
    )
    session().add(kept)
    session().flush()
    audit.record("receipt.filed", by=by, object_type="transfer", object_id=transfer_id,
                 after={"sha256": kept.sha256, "size": kept.size})  # fmt: skip
    return kept
