"""Blocking: one person, at once, in any state. Several blocks stand side by side."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.blocks import effective_in_words
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.services.freeze import apply_freeze
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.upkeep import refresh_queues
from dashboard.clients.vocabulary import CLIENT_TEXTS, BlockCode, Scope, Status
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.money import Money
from dashboard.queues import services as queues

#: business days until a block is looked at again
REVIEW_AFTER = 5
#: AMLR Art. 71: after three working days without an order the transaction may go on; a person decides, never time
STR_HOLD_DAYS = 3
LONGEST_TEXT = 2000
#: what the database says when the same block stands already
SAME_BLOCK = {"uq_client_block_active", "uq_client_block_active_token"}
FURTHEST_REVIEW = timedelta(days=366)


def suggested_review_date() -> date:
    """Five business days from today."""
    days = calendar()
    return days.add_days(days.today(), REVIEW_AFTER)


def _text(value: str | None, field: str) -> str | None:
    text = (value or "").strip()
    if len(text) > LONGEST_TEXT:
        raise Invalid.one(field, f"Use at most {LONGEST_TEXT} characters.", "tooLong")
    return text or None


def checked_review_date(wanted: date | None) -> date:
    """The wanted date, or the suggested one. Raises Invalid for one that is past, too far, or no business day."""
    days = calendar()
    if wanted is None:
        return suggested_review_date()
    today = days.today()
    if wanted < today:
        raise Invalid.one("reviewDate", "The review date lies in the past.", "range")
    if wanted > today + FURTHEST_REVIEW:
        raise Invalid.one("reviewDate", "Choose a date within a year.", "range")
    if not days.is_business_day(wanted):
        name = days.holiday_name(wanted) or f"{wanted:%A}"
        raise Invalid.one(
            "reviewDate", f"{wanted.day} {wanted:%b} is no business day ({name}). Choose another.", "businessDay"
        )
    return wanted


def status_in_words(status: str, scopes: list[str]) -> str:
    """`Blocked: debit`, `Active`."""
    if status == Status.BLOCKED:
        return f"Blocked: {effective_in_words(scopes)}"
    return status.capitalize()


def block(
    client_id: UUID,
    *,
    scope: Scope = Scope.ALL,
    code: BlockCode = BlockCode.NOT_STATED,
    amount: Money | None = None,
    comment: str | None = None,
    legal_reference: str | None = None,
    client_text: str | None = None,
    review_date: date | None = None,
    by: Actor,
) -> ClientBlock:
    """Place a block. It works when the transaction commits.

    The same block again by the same token is the first one (PUT is idempotent); by a colleague it is a Conflict
    that tells who was first. Raises NotFound, Invalid (amount, dates, lengths).
    """
    client = locked(client_id)
    if scope is Scope.AMOUNT and (amount is None or amount.minor_units <= 0):
        raise Invalid.one("amount", "Say which amount is blocked, greater than zero.", "required")
    if scope is not Scope.AMOUNT and amount is not None:
        raise Invalid.one("amount", "Only a block of scope amount has an amount.", "notAllowed")
    standing = active_blocks(client.id)
    before = status_in_words(client.status, [b.scope for b in standing])
    moment = clock.now()
    fresh = ClientBlock(
        id=new_id(),
        client_id=client.id,
        scope=scope.value,
        amount_minor=amount.minor_units if amount else None,
        currency=amount.currency if amount else None,
        code=code.value,
        legal_reference=_text(legal_reference, "legalReference"),
        comment=_text(comment, "comment"),
        client_text=_text(client_text, "clientText") or CLIENT_TEXTS["check"][1],
        started_at=moment,
        review_date=checked_review_date(review_date),
        placed_by_kind=by.kind,
        placed_by_id=by.id,
        placed_by_name=by.name,
    )
    if client.status != Status.BLOCKED:
        client.status_before_block = client.status
        client.status = Status.BLOCKED.value
    try:
        with savepoint():
            session().add(fresh)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) not in SAME_BLOCK:
            raise
        return _same_again(fresh, standing, by)
    apply_freeze(client.id)
    client.version += 1
    _open_reviews(client, fresh)
    refresh_queues(client, by=by)
    audit.record(
        "client.blocked",
        by=by,
        object_type="client_block",
        object_id=fresh.id,
        client_id=client.id,
        before={"status": before},
        after={
            "status": status_in_words(client.status, [*(b.scope for b in standing), fresh.scope]),
            "scope": fresh.scope,
            "reviewDate": fresh.review_date.isoformat(),
        },
        restricted={"code": fresh.code, "comment": fresh.comment, "legalReference": fresh.legal_reference},
    )
    client.updated_at = moment
    session().flush()
    return fresh


def _same_again(fresh: ClientBlock, standing: list[ClientBlock], by: Actor) -> ClientBlock:
    first = next(
        b
        for b in standing
        if (b.code, b.scope, b.placed_by_kind, b.amount_minor, b.currency)
        == (fresh.code, fresh.scope, fresh.placed_by_kind, fresh.amount_minor, fresh.currency)
        and (b.placed_by_kind != "token" or (b.placed_by_id == by.id and b.stated_by_id is None))
    )
    if by.kind == "token":
        return first
    raise Conflict(
        "This block stands already: the same scope and code"
        + (", placed by you." if first.placed_by_id == by.id else f", placed by {first.placed_by_name}."),
        code="alreadyBlocked",
    )


def _open_reviews(client: Client, fresh: ClientBlock) -> None:
    days = calendar()
    queues.open_item(
        "block-review",
        cause="review",
        object_type="client_block",
        object_id=fresh.id,
        client_id=client.id,
        due_at=days.closing(fresh.review_date),
    )
    if fresh.code == BlockCode.NOT_STATED:
        queues.open_item(
            "block-review",
            cause="state-reason",
            object_type="client_block",
            object_id=fresh.id,
            client_id=client.id,
            due_at=days.due_after(fresh.started_at, 1),
            restricted=True,
        )
    if fresh.code == BlockCode.STR_HOLD:
        queues.open_item(
            "block-review",
            cause="str-hold",
            object_type="client_block",
            object_id=fresh.id,
            client_id=client.id,
            due_at=days.due_after(fresh.started_at, STR_HOLD_DAYS),
            restricted=True,
        )


def complete_code(
    block_id: UUID, *, code: BlockCode, comment: str | None, legal_reference: str | None, by: Actor
) -> ClientBlock:
    """Say the reason of a block that was placed without one. Raises NotFound, Refused, Invalid."""
    stored = session().get(ClientBlock, block_id)
    if stored is None or not by.sees_restricted:
        raise NotFound("There is no such block.")
    client = locked(stored.client_id)
    session().refresh(stored, with_for_update=True)
    if stored.lifted_at is not None or stored.code != BlockCode.NOT_STATED:
        raise Refused("The reason of this block has been stated already.", code="reasonStated")
    if code is BlockCode.NOT_STATED:
        raise Invalid.one("code", "Choose the reason.", "required")
    stored.code = code.value
    stored.stated_by_id = by.staff_id
    stored.comment = _text(comment, "comment") or stored.comment
    stored.legal_reference = _text(legal_reference, "legalReference") or stored.legal_reference
    client.version += 1
    try:
        with savepoint():
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) not in SAME_BLOCK:
            raise
        raise Conflict("A block with this scope and code stands already.", code="alreadyBlocked") from None
    queues.close_items("block-review", object_id=stored.id, cause="state-reason", by=by)
    if code is BlockCode.STR_HOLD:
        queues.open_item(
            "block-review", cause="str-hold", object_type="client_block", object_id=stored.id, client_id=client.id,
            due_at=calendar().due_after(stored.started_at, STR_HOLD_DAYS), restricted=True,
        )  # fmt: skip
    audit.record(
        "client.block_completed",
        by=by,
        object_type="client_block",
        object_id=stored.id,
        client_id=client.id,
        restricted={"code": stored.code, "comment": stored.comment, "legalReference": stored.legal_reference},
    )
    return stored
