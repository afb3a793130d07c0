"""Items of the queues in words: whom each is about, why it is there, who has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.clients import deletion
from dashboard.clients import queries as clients
from dashboard.clients.blocks import BlockView, as_seen
from dashboard.clients.documents import queries as documents
from dashboard.clients.documents.labels import document_label
from dashboard.clients.models import ClientBlock, ClientFlag
from dashboard.clients.reviewing import because_of
from dashboard.clients.vocabulary import FLAGS, FlagCode, Severity, in_words
from dashboard.database import session
from dashboard.home.handed_over import Asked, asked_about
from dashboard.money import Money
from dashboard.onboarding.pulling import queries as differences
from dashboard.onboarding.pulling import vocabulary as pulling
from dashboard.onboarding.pulling.words import in_short
from dashboard.onboarding.sumsub import queries as sumsub
from dashboard.onboarding.sumsub.badges import DOUBTS
from dashboard.queues.models import QueueItem
from dashboard.staff import queries as staff
from dashboard.transfers.badges import check_label, money_of
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.queries import history, transfers
from dashboard.transfers.vocabulary import Cause
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.vocabulary import BREAK_LABELS, CAUSE_LABELS, BreakKind
from dashboard.treasury.matching.vocabulary import Cause as BreakCause
from dashboard.treasury.register import queries as register


class Queue(NamedTuple):
    """`label` heads a page, `one` names a single item. `empty` says what an empty queue means."""

    label: str
    one: str
    empty: str
    #: who works it
    permission: Permission = Permission.CLIENTS_REVIEW
    #: the page that shows the whole queue best; None: the list of its items
    page: str | None = None
    #: only senior people work it
    senior: bool = False

    def worked_by(self, actor: Actor) -> bool:
        """Whether this queue is any of the actor's business."""
        return actor.may(self.permission) and (actor.senior or not self.senior)


QUEUES = {
    "client-review": Queue("Client review", "Client review", "No client has an open doubt."),
    "activation": Queue("Activation", "Activation", "No client is ready to be activated."),
    "block-review": Queue("Block reviews", "Block review", "No block needs a review."),
    "deletion-requests": Queue(
        "Deletion requests", "Deletion request", "Nobody waits for an answer about the deletion of data.",
        Permission.CLIENTS_ERASE,
    ),
    "documents": Queue(
        "Documents to review", "Document", "No document waits for its review, and none expires soon.",
        Permission.DOCUMENTS_WRITE,
    ),
    "client-reviews": Queue("Periodic reviews", "Periodic review", "No client is to be reviewed within the lead time."),
    "overdue-reviews": Queue("Late reviews", "Late review", "No periodic review is so late.", senior=True),
    "verification": Queue("Verification doubts", "Verification doubt", "Nothing that Sumsub told is doubtful."),
    "held-transfers": Queue(
        "Held transfers", "Held transfer", "No transfer waits for a person.", Permission.TRANSFERS_REVIEW
    ),
    "unrecognized": Queue(
        "Unrecognized money", "Unrecognized money", "All money that came in reached its client.",
        Permission.TRANSFERS_ASSIGN, "/transfers/unrecognized",
    ),
    "incoming-requests": Queue(
        "Incoming requests", "Incoming request", "Everything that the providers told is processed.",
        Permission.TRANSFERS_ASSIGN,
    ),
    "breaks": Queue(
        "Breaks", "Break", "Ledger and statements agree, as far as they were compared.", Permission.TREASURY_WRITE,
        "/treasury/breaks",
    ),
}  # fmt: skip
#: about what Sumsub told, which may be of nobody here
EVENTS, APPLICANTS = "sumsub_event", "sumsub_applicant"
#: about a transfer rather than a client
DOCUMENTS = "client_document"
TRANSFERS, RECEIPTS, REQUESTS = "transfer", "receipt", "incomingRequest"
DELETIONS = "deletion_request"
REVIEWS = frozenset({"client-reviews", "overdue-reviews"})
#: about what a bank says otherwise
BREAKS = "breaks"
#: about what Sumsub says otherwise
DIFFERENCES = pulling.OBJECT
UNCONFIRMED = pulling.UNCONFIRMED

#: causes other than flags, in words
CAUSES = {
    "flags": "Open flags",
    "ready": "Ready to activate",
    "review": "Review the block",
    "state-reason": "State the reason",
    "str-hold": "STR hold ends",
    "contradiction": "The provider contradicts itself",
    "contradicted": "The provider contradicts itself",
    "failed": "Could not be processed",
    "waiting": "Takes back a credit that was not told",
    "expires": "Expires soon",
    "halfTime": "Half of the time to settle is over",
    "decide": "Decide on the deletion",
    "inTheWay": "Due to be deleted, and something is in the way",
    "periodic": "Periodic review",
    "overdue": "Nobody has reviewed it; debits stop at this time",
    "receivable": "Money was taken back that the client no longer has",
    pulling.CAUSE: "Sumsub says something else",
    UNCONFIRMED: "Sumsub does not confirm its approval",
}
#: why money did not reach a client
_RECEIPTS = {
    Cause.NOT_RECOGNIZED.value: "Not recognized",
    Cause.CREDIT_FROZEN.value: "The account takes no money now",
    Cause.ACCOUNT_CLOSED.value: "The account is closed",
    Cause.CURRENCY.value: "The account has another currency",
    Cause.UNDONE.value: "Undone, to decide again",
}


@dataclass(frozen=True)
class WorkRow:
    """`note` says in the row what became of it when somebody else was faster."""

    id: UUID
    queue: str
    #: where one works on it
    url: str
    about: str
    #: more of what it is about, for this reader
    detail: str | None
    why: str
    opened_at: datetime
    due_at: datetime
    assignee: str | None
    mine: bool
    closed: bool
    #: what has been asked already, and by whom
    asked: str | None = None
    note: str | None = None


def _flags(client_ids: Sequence[UUID], actor: Actor) -> dict[UUID, list[str]]:
    """Open doubts of these clients in words, the heaviest first; what needs nobody is left out."""
    if not client_ids:
        return {}
    rows = session().execute(
        sa.select(ClientFlag.client_id, ClientFlag.code)
        .where(
            ClientFlag.client_id.in_(client_ids),
            ClientFlag.closed_at.is_(None),
            ClientFlag.severity >= Severity.CHECK.value,
            *([] if actor.sees_restricted else [clients.open_to_all()]),
        )
        .order_by(ClientFlag.severity.desc(), ClientFlag.id)
    )
    found: dict[UUID, list[str]] = {}
    for client_id, code in rows:
        words = found.setdefault(client_id, [])
        label = FLAGS[FlagCode(code)][1]
        if label not in words:
            words.append(label)
    return found


def _blocks(ids: Sequence[UUID], actor: Actor) -> dict[UUID, BlockView]:
    if not ids:
        return {}
    stored = session().scalars(sa.select(ClientBlock).where(ClientBlock.id.in_(ids)))
    return {block.id: as_seen(block, sees_restricted=actor.sees_restricted) for block in stored}


def url_of(item: QueueItem) -> str:
    """Where an item is worked on."""
    if item.queue in REVIEWS:
        return f"/clients/{item.client_id}/review"
    if item.queue == BREAKS:
        return f"/treasury/breaks/{item.object_id}"
    if item.object_type == RECEIPTS:
        return f"/transfers/unrecognized/{item.object_id}"
    if item.object_type == TRANSFERS:
        return f"/transfers/{item.object_id}"
    if item.object_type == DELETIONS:
        return f"/clients/{item.client_id}/deletion"
    if item.object_type == REQUESTS:
        return f"/transfers/requests/{item.object_id}"
    if item.object_type == DOCUMENTS:
        return f"/clients/{item.client_id}/documents/{item.object_id}?via=queue"
    if item.object_type == DIFFERENCES and item.client_id is None:
        return "/onboarding/differences"
    if item.object_type == DIFFERENCES or item.cause == UNCONFIRMED:
        return f"/clients/{item.client_id}?tab=verification"
    if item.object_type == EVENTS:
        return f"/onboarding/events/{item.object_id}"
    if item.object_type == APPLICANTS:
        return f"/onboarding/events/applicants/{item.object_id}"
    return f"/clients/{item.client_id}"


def _listed(labels: Sequence[str]) -> str:
    first, *rest = labels
    return ", ".join([first, *(word[:1].lower() + word[1:] for word in rest)])


def _why(item: QueueItem, flags: dict[UUID, list[str]], doubts: dict[UUID, list[str]]) -> str:
    if item.cause == "flags" and item.client_id in flags:
        return _listed(flags[item.client_id])
    if item.queue == "documents" and item.cause == "review":
        return "Review the document"
    if item.queue == "verification":
        return _VERIFICATION.get(item.cause) or CAUSES.get(item.cause) or in_words(item.cause)
    if item.queue == "held-transfers" and item.cause == "review":
        return _listed(doubts[item.object_id]) if doubts.get(item.object_id) else "Look at it before it goes"
    return _RECEIPTS.get(item.cause) or CAUSES.get(item.cause) or in_words(item.cause)


_VERIFICATION = {cause.value: words for cause, (words, _todo) in DOUBTS.items()}


def _doubts(transfer_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Why transfers are held, in words."""
    if not transfer_ids:
        return {}
    found = history.checks_of(transfer_ids)
    return {one: [check_label(check.code) for check in history.failed(checks)] for one, checks in found.items()}


def _transfers(ids: Sequence[UUID]) -> dict[UUID, Transfer]:
    return {transfer.id: transfer for transfer in transfers.read(ids)}


def _requests(ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Of incoming requests: who paid, and how much, as far as the message tells."""
    if not ids:
        return {}
    rows = session().execute(
        sa.select(
            IncomingRequest.id, IncomingRequest.debtor_name, IncomingRequest.amount_minor, IncomingRequest.currency
        ).where(IncomingRequest.id.in_(ids))
    )
    return {
        one: (name or "A payer without a name", str(Money(minor, currency)) if minor and currency else "no amount")
        for one, name, minor, currency in rows
    }


def _breaks(ids: Sequence[UUID]) -> dict[UUID, tuple[str, str, str]]:
    """Of breaks: which bank account, what and how much, and what is likely behind it."""
    if not ids:
        return {}
    accounts = {view.id: view.said for view in register.accounts(include_closed=True)}
    stored = session().scalars(sa.select(ReconBreak).where(ReconBreak.id.in_(ids)))
    return {
        each.id: (
            accounts.get(each.bank_account_id, "A bank account"),
            f"{BREAK_LABELS[BreakKind(each.kind)]}, {Money(each.difference_minor, each.currency)}",
            CAUSE_LABELS[BreakCause(each.cause)],
        )
        for each in stored
    }


def _about_transfer(item: QueueItem, transfer: Transfer, client: str) -> tuple[str, str]:
    """Whom it is about, and how much from or to whom."""
    amount, other = str(money_of(transfer)), transfer.counterparty_name or "a party without a name"
    if item.object_type == RECEIPTS:
        return transfer.counterparty_name or "A payer without a name", amount
    return client or other, f"{amount} {'from' if transfer.kind == 'incoming' else 'to'} {other}"


def _asked(request: Asked | None) -> str | None:
    if request is None:
        return None
    return f"asked by {'you' if request.by_me else request.name}, waits for approval"


def rows(
    items: Sequence[QueueItem], *, actor: Actor, note: str | None = None, with_blocks: bool = True
) -> list[WorkRow]:
    """Rows for this reader, in at most sixteen queries. `note` is said in each; `with_blocks` says which block."""
    known = clients.by_ids([item.client_id for item in items if item.client_id is not None])
    flags = _flags([item.client_id for item in items if item.cause == "flags" and item.client_id is not None], actor)
    about_blocks = [item.object_id for item in items if with_blocks and item.object_type == "client_block"]
    blocks = _blocks(about_blocks, actor)
    people = staff.names(item.assignee_id for item in items if item.assignee_id != actor.id)
    requests = asked_about(items, actor)
    about_transfers = _transfers([item.object_id for item in items if item.object_type in {TRANSFERS, RECEIPTS}])
    about_requests = _requests([item.object_id for item in items if item.object_type == REQUESTS])
    about_documents = documents.by_ids([item.object_id for item in items if item.object_type == DOCUMENTS])
    about_events = sumsub.named([item.object_id for item in items if item.object_type in {EVENTS, APPLICANTS}])
    doubts = _doubts([item.object_id for item in items if item.object_type == TRANSFERS])
    due_because = because_of([item.object_id for item in items if item.queue in REVIEWS])
    asked_to_delete = {item.client_id for item in items if item.object_type == DELETIONS}
    about_deletions = deletion.in_short([client for key, client in known.items() if key in asked_to_delete])
    about_differences = differences.differences_by_id(
        [item.object_id for item in items if item.object_type == DIFFERENCES]
    )
    about_breaks = _breaks([item.object_id for item in items if item.queue == BREAKS])
    found = []
    for item in items:
        client = known.get(item.client_id) if item.client_id else None
        mine = item.assignee_id is not None and item.assignee_id == actor.id
        about, block = client.name if client else "", blocks.get(item.object_id)
        detail = f"{block.scope_label} · {block.code_label}" if block else None
        if item.object_id in about_documents:
            paper = about_documents[item.object_id]
            detail = document_label(paper)
        if item.object_type == DELETIONS and item.client_id in about_deletions and actor.sees_restricted:
            detail = about_deletions[item.client_id]
        if item.queue in REVIEWS:
            detail = due_because.get(item.object_id)
        if item.object_id in about_transfers:
            about, detail = _about_transfer(item, about_transfers[item.object_id], about)
        if item.object_id in about_differences:
            difference = about_differences[item.object_id]
            about = about or f"Applicant {difference.applicant_id}"
            detail = in_short(difference, sees_restricted=actor.sees_restricted)
        if not about and item.object_type in {EVENTS, APPLICANTS}:
            about = about_events.get(item.object_id, "Somebody unknown")
        if item.object_id in about_requests:
            about, detail = about_requests[item.object_id]
        why = _why(item, flags, doubts)
        if item.object_id in about_breaks:
            about, detail, why = about_breaks[item.object_id]
        if item.object_id in about_documents and item.cause == "expires" and paper.expires_on:
            why = f"Expires {paper.expires_on.day} {paper.expires_on:%b %Y}"
        found.append(
            WorkRow(
                id=item.id,
                queue=item.queue,
                url=url_of(item),
                about=about,
                detail=detail,
                why=why,
                opened_at=item.opened_at,
                due_at=item.due_at,
                assignee="you" if mine else people.get(item.assignee_id) if item.assignee_id else None,
                mine=mine,
                closed=item.closed_at is not None,
                asked=_asked(requests.get(item.id)),
                note=note,
            )
        )
    return found
