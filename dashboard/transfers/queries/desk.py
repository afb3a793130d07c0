"""The desk for unrecognized money, read: the list by its deadlines, the sums, and what belongs to one receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from dashboard import clock
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.folding import words
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import Account
from dashboard.money import Money
from dashboard.queues.models import QueueItem
from dashboard.staff.models import StaffMember
from dashboard.transfers.models import (
    Disposition,
    IncomingRequest,
    PayerRule,
    Receipt,
    ReceiptEvent,
    ReceiptFile,
    Screening,
    Transfer,
)
from dashboard.transfers.models.providers import Provider, ProviderMessage
from dashboard.transfers.vocabulary import UNDECIDED, DispositionState, ReceiptState

QUEUE = "unrecognized"
#: cause of an item that is about a client's debt, not about a receipt
CLAIM = "receivable"
#: causes of items beside a receipt's own
REMINDERS = (CLAIM, "halfTime")
#: how long a decision of one's own stays in the list, with its Undo
STAYS = timedelta(minutes=30)
#: such rows at most
MOST_DONE = 20
#: letters that Unicode does not decompose, as clients.folding writes them
_PLAIN = (
    ("ł", "l"),
    ("ø", "o"),
    ("đ", "d"),
    ("ð", "d"),
    ("þ", "th"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("ı", "i"),
    ("ß", "ss"),
)

#: key of a row in the order of the list
Key = tuple[datetime, int, UUID]


@dataclass(frozen=True)
class DeskFilter:
    """Which receipts. `whose`: any, me, none, or own (mine and unassigned)."""

    currency: str | None = None
    state: str | None = None
    whose: str = "any"
    reader: UUID | None = None
    #: the same figure in every number of decimals that a currency has
    amounts: tuple[tuple[str, int], ...] | None = None
    payer: str | None = None
    text: str | None = None
    late: bool = False
    due_before: datetime | None = None


@dataclass(frozen=True)
class DeskRow:
    """A receipt in the list. `done`: what its reader decided a moment ago: assign or return."""

    id: UUID
    money: Money
    payer: str
    text: str | None
    state: str
    cause: str
    booked_at: datetime
    received_at: datetime
    allocate_by: datetime
    resolve_by: datetime
    assignee_id: UUID | None
    assignee: str | None
    item_id: UUID | None
    reference: str | None
    done: str | None = None
    #: of what was assigned: end of the account's number
    done_to: str | None = None

    @property
    def key(self) -> Key:
        return self.allocate_by, -self.money.minor_units, self.id


@dataclass(frozen=True)
class CurrencySum:
    """What waits in one currency."""

    money: Money
    items: int
    late: int


@dataclass(frozen=True)
class Sums:
    """All that is undecided, whatever the filters say."""

    currencies: list[CurrencySum]
    mine: int
    unassigned: int
    #: credits that the bank took back from clients
    claims: int

    @property
    def items(self) -> int:
        return sum(one.items for one in self.currencies)


@dataclass(frozen=True)
class LastFile:
    """When something last came in, and from whom. None: nothing ever."""

    provider: str
    at: datetime


def _undecided() -> sa.ColumnElement[bool]:
    # written out as the partial indexes have it
    return sa.text("receipt.state IN ('open', 'asked', 'kept', 'waiting')")  # type: ignore[return-value]


def _folded(column: Any) -> sa.ColumnElement[str]:
    """Lower case without accents, as clients.folding does it for stored names."""
    said = sa.func.regexp_replace(
        sa.func.normalize(sa.func.lower(column), sa.text("NFKD")), sa.text(r"'[\u0300-\u036f]'"), "", "g"
    )
    for letter, plain in _PLAIN:
        said = sa.func.replace(said, letter, plain)
    found: sa.ColumnElement[str] = said
    return found


# Statements stand ready, with names for what is asked: to build one takes longer than the database needs to answer it.


def _said(name: str, column: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=column.type)


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.Text())


def _holds(column: Any, name: str) -> sa.ColumnElement[bool]:
    """Whether the column holds what `_part` made of a word."""
    found: sa.ColumnElement[bool] = column.like(_text(name), escape="/")
    return found


def _part(word: str) -> str:
    for sign in ("/", "%", "_"):
        word = word.replace(sign, f"/{sign}")
    return f"%{word}%"


class _Shape(NamedTuple):
    """Which filters are set, whatever they ask for. `payer` and `text`: of how many words."""

    whose: str
    currency: bool
    state: bool
    amounts: int | None
    payer: int | None
    text: int
    late: bool
    due: bool

    @classmethod
    def of(cls, chosen: DeskFilter) -> _Shape:
        return cls(
            whose=chosen.whose,
            currency=bool(chosen.currency),
            state=bool(chosen.state),
            amounts=len(chosen.amounts) if chosen.amounts is not None else None,
            payer=len(words(chosen.payer)) if chosen.payer else None,
            text=len(words(chosen.text)) if chosen.text else 0,
            late=chosen.late,
            due=chosen.due_before is not None,
        )


def _asked(chosen: DeskFilter) -> dict[str, Any]:
    """What the statements of its shape are told."""
    asked: dict[str, Any] = {
        "currency": chosen.currency, "state": chosen.state, "reader": chosen.reader, "now": clock.now(),
        "due_before": chosen.due_before,
    }  # fmt: skip
    for place, (code, minor) in enumerate(chosen.amounts or ()):
        asked |= {f"code{place}": code, f"minor{place}": minor}
    if chosen.payer:
        asked["account"] = _part("".join(chosen.payer.split()).upper())
        asked |= {f"payer{place}": _part(word) for place, word in enumerate(words(chosen.payer))}
    if chosen.text:
        asked |= {f"text{place}": _part(word) for place, word in enumerate(words(chosen.text))}
    return asked


def _conditions(shape: _Shape) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [_undecided()]
    now = _said("now", Receipt.allocate_by)
    if shape.currency:
        found.append(Receipt.currency == _text("currency"))
    if shape.state:
        found.append(Receipt.state == _text("state"))
    if shape.amounts is not None:
        found.append(
            sa.or_(sa.false(), *(
                sa.and_(Receipt.currency == _text(f"code{place}"),
                        Receipt.amount_minor == _said(f"minor{place}", Receipt.amount_minor))
                for place in range(shape.amounts)
            ))
        )  # fmt: skip
    if shape.payer is not None:
        by_account = _holds(Transfer.counterparty_key, "account")
        name = _folded(sa.func.coalesce(Transfer.counterparty_name, ""))
        by_name = [_holds(name, f"payer{place}") for place in range(shape.payer)]
        found.append(sa.or_(by_account, sa.and_(*by_name)) if by_name else by_account)
    found += [_holds(Transfer.search_text, f"text{place}") for place in range(shape.text)]
    if shape.late:
        found.append(Receipt.allocate_by < now)
    if shape.due:
        found += [Receipt.allocate_by >= now, Receipt.allocate_by <= _said("due_before", Receipt.allocate_by)]
    return found


#: the work item of a receipt: reminders about the same receipt have causes of their own
_ITEM = sa.and_(
    QueueItem.queue == QUEUE,
    QueueItem.object_id == Receipt.transfer_id,
    QueueItem.cause == Receipt.cause,
    QueueItem.closed_at.is_(None),
)


def _places(shape: _Shape) -> Any:
    """The receipts that pass, without what belongs to them: a page of them is cut first, and only its rows are read
    whole. A statement of its own joins the rest only where a filter asks for it."""
    query: Any = sa.select(Receipt.transfer_id, Receipt.allocate_by, Receipt.amount_minor).where(*_conditions(shape))
    if shape.payer is not None or shape.text:
        query = query.join(Transfer, Transfer.id == Receipt.transfer_id)
    if shape.whose == "any":
        return query
    reader = _said("reader", QueueItem.assignee_id)
    if shape.whose == "me":
        return query.join(QueueItem, _ITEM).where(QueueItem.assignee_id == reader)
    query = query.outerjoin(QueueItem, _ITEM)
    if shape.whose == "none":
        return query.where(QueueItem.assignee_id.is_(None))
    return query.where(sa.or_(QueueItem.assignee_id == reader, QueueItem.assignee_id.is_(None)))


def _whole(places: Any) -> Any:
    """The rows of these places in the order of the list. OFFSET 0 is the planner's fence: what belongs to a row is
    looked up for these rows alone."""
    cut = places.offset(0).subquery("place")
    return (
        sa.select(
            Receipt.transfer_id, Receipt.currency, Receipt.amount_minor, Receipt.state, Receipt.cause,
            Receipt.booked_at, Receipt.allocate_by, Receipt.resolve_by, Transfer.created_at,
            Transfer.counterparty_name, Transfer.counterparty_account, Transfer.remittance,
            Transfer.provider_reference, QueueItem.id, QueueItem.assignee_id, StaffMember.name,
        )
        .select_from(cut)
        .join(Receipt, Receipt.transfer_id == cut.c.transfer_id)
        .join(Transfer, Transfer.id == cut.c.transfer_id)
        .outerjoin(QueueItem, _ITEM)
        .outerjoin(StaffMember, StaffMember.id == QueueItem.assignee_id)
        .order_by(cut.c.allocate_by, cut.c.amount_minor.desc(), cut.c.transfer_id)
    )  # fmt: skip


def _row(found: Any, done: str | None = None, number: str | None = None) -> DeskRow:
    (id_, currency, minor, state, cause, booked, allocate_by, resolve_by, created, name, account, remittance,
     reference, item_id, assignee_id, assignee) = found  # fmt: skip
    return DeskRow(
        id=id_, money=Money(minor, currency), payer=name or account or "No payer named", text=remittance,
        state=state, cause=cause, booked_at=booked, received_at=created, allocate_by=allocate_by,
        resolve_by=resolve_by, assignee_id=assignee_id, assignee=assignee, item_id=item_id, reference=reference,
        done=done, done_to=f"{number[:2]}…{number[-4:]}" if number else None,
    )  # fmt: skip


def _beyond(*, backwards: bool) -> sa.ColumnElement[bool]:
    """Rows after a key, or before it: by deadline, then larger amounts first, then identifier."""
    allocate_by = _said("key_at", Receipt.allocate_by)
    minor, id_ = _said("key_minor", Receipt.amount_minor), _said("key_id", Receipt.transfer_id)
    if backwards:
        later = Receipt.allocate_by < allocate_by
        same = sa.or_(
            Receipt.amount_minor > minor, sa.and_(Receipt.amount_minor == minor, Receipt.transfer_id < id_)
        )  # fmt: skip
        return sa.and_(Receipt.allocate_by <= allocate_by, sa.or_(later, same))
    later = Receipt.allocate_by > allocate_by
    same = sa.or_(Receipt.amount_minor < minor, sa.and_(Receipt.amount_minor == minor, Receipt.transfer_id > id_))
    return sa.and_(Receipt.allocate_by >= allocate_by, sa.or_(later, same))


@lru_cache(maxsize=128)
def _page(shape: _Shape, side: str, limit: int) -> Any:
    """`side` of a key: after, before; empty for the first page. The limit is written out: the planner that does not
    see it plans anew for each call, which takes as long as reading the rows."""
    places = _places(shape)
    if side == "before":
        places = places.where(_beyond(backwards=True)).order_by(
            Receipt.allocate_by.desc(), Receipt.amount_minor, Receipt.transfer_id.desc()
        )
    else:
        if side == "after":
            places = places.where(_beyond(backwards=False))
        places = places.order_by(Receipt.allocate_by, Receipt.amount_minor.desc(), Receipt.transfer_id)
    return _whole(places.limit(sa.literal_column(str(limit), sa.Integer())))


def page(chosen: DeskFilter, *, after: Key | None = None, before: Key | None = None, limit: int) -> list[DeskRow]:
    """Receipts that need a decision: late ones first, the nearest deadline next, larger amounts first in each."""
    asked = _asked(chosen)
    side, key = ("before", before) if before is not None else ("after", after)
    if key is None:
        side = ""
    else:
        allocate_by, negative, id_ = key
        asked |= {"key_at": allocate_by, "key_minor": -negative, "key_id": id_}
    return [_row(found) for found in session().execute(_page(_Shape.of(chosen), side, limit), asked)]


def stream(chosen: DeskFilter) -> Iterator[DeskRow]:
    """The whole list in its order, for a file."""
    query = _whole(_places(_Shape.of(chosen)))
    for found in session().execute(query, _asked(chosen), execution_options={"yield_per": 1000}):
        yield _row(found)


_DECIDED = (
    sa.select(
        Receipt.transfer_id, Receipt.currency, Receipt.amount_minor, Receipt.state, Receipt.cause,
        Receipt.booked_at, Receipt.allocate_by, Receipt.resolve_by, Transfer.created_at,
        Transfer.counterparty_name, Transfer.counterparty_account, Transfer.remittance,
        Transfer.provider_reference, sa.null(), sa.null(), sa.null(), Disposition.kind,
        Account.number,
    )
    .join(Transfer, Transfer.id == Receipt.transfer_id)
    .join(Disposition, Disposition.transfer_id == Receipt.transfer_id)
    .outerjoin(Account, Account.id == Disposition.account_id)
    .where(
        Disposition.state == DispositionState.POSTED.value,
        Disposition.made_by_id == _said("reader", Disposition.made_by_id),
        Receipt.settled_at > _said("since", Receipt.settled_at),
    )
    .order_by(Receipt.settled_at.desc())
    .limit(MOST_DONE)
)  # fmt: skip


def decided_by(reader: UUID) -> list[DeskRow]:
    """What this reader assigned or sent back within the last half hour, and nobody undid."""
    rows = session().execute(_DECIDED, {"reader": reader, "since": clock.now() - STAYS})
    return [_row(found[:16], found[16], found[17]) for found in rows]


def next_after(chosen: DeskFilter, place: Key | None) -> UUID | None:
    """The receipt that comes next in the list, from its beginning where none follows."""
    if place is not None:
        rows = page(chosen, after=place, limit=1)
        if rows:
            return rows[0].id
    rows = page(chosen, limit=1)
    return rows[0].id if rows else None


_OF_RECEIPT = QueueItem.cause.not_in(REMINDERS)
_WHOSE = (
    sa.select(
        sa.func.count()
        .filter(QueueItem.assignee_id == _said("reader", QueueItem.assignee_id), _OF_RECEIPT)
        .label("mine"),
        sa.func.count().filter(QueueItem.assignee_id.is_(None), _OF_RECEIPT).label("unassigned"),
        sa.func.count().filter(QueueItem.cause == CLAIM).label("claims"),
    )
    .where(QueueItem.queue == QUEUE, QueueItem.closed_at.is_(None))
    .subquery()
)
_BY_CURRENCY = (
    sa.select(
        Receipt.currency,
        sa.func.sum(Receipt.amount_minor).label("amount"),
        sa.func.count().label("items"),
        sa.func.count().filter(Receipt.allocate_by < _said("now", Receipt.allocate_by)).label("late"),
    )
    .where(_undecided())
    .group_by(Receipt.currency)
    .subquery()
)
_SUMS = sa.select(_BY_CURRENCY, _WHOSE).select_from(_WHOSE).outerjoin(_BY_CURRENCY, sa.true())


def sums(reader: UUID | None) -> Sums:
    """All that waits, currency by currency, and how much of it is whose: each counted by itself, never row by row."""
    rows = session().execute(_SUMS, {"reader": reader, "now": clock.now()}).all()
    found = [CurrencySum(Money(int(row.amount), row.currency), row.items, row.late) for row in rows if row.currency]
    found.sort(key=lambda one: (-one.items, one.money.currency))
    return Sums(found, rows[0].mine, rows[0].unassigned, rows[0].claims)


_LAST_INCOMING = (
    sa.select(Provider.name, ProviderMessage.at)
    .join(Provider, Provider.key == ProviderMessage.provider)
    .where(ProviderMessage.direction == "in")
    .order_by(ProviderMessage.id.desc())
    .limit(1)
)


def last_incoming() -> LastFile | None:
    """The newest message that a provider gave."""
    found = session().execute(_LAST_INCOMING).first()
    return LastFile(found[0], found[1]) if found else None


@dataclass(frozen=True)
class Claim:
    """A credit that the bank took back from a client who has spent it: people decide what becomes of it."""

    transfer_id: UUID
    money: Money
    payer: str
    due_at: datetime
    client_id: UUID | None


_CLAIMS = (
    sa.select(
        Transfer.id, Transfer.amount_minor, Transfer.currency, Transfer.counterparty_name, QueueItem.due_at,
        Transfer.client_id,
    )
    .join(QueueItem, QueueItem.object_id == Transfer.id)
    .where(QueueItem.queue == QUEUE, QueueItem.cause == CLAIM, QueueItem.closed_at.is_(None))
    .order_by(QueueItem.due_at, QueueItem.id)
    .limit(MOST_DONE)
)  # fmt: skip


def claims() -> list[Claim]:
    """Such credits, by their due time."""
    return [
        Claim(id_, Money(minor, currency), name or "No payer named", due, client)
        for id_, minor, currency, name, due, client in session().execute(_CLAIMS)
    ]


def claim(transfer_id: UUID) -> Claim:
    """Raises NotFound `claimNotFound`."""
    found = next((one for one in claims() if one.transfer_id == transfer_id), None)
    if found is None:
        raise NotFound("The bank has not taken this back, or it is settled.", code="claimNotFound")
    return found


@dataclass(frozen=True)
class Item:
    """One receipt with all that belongs to it."""

    receipt: Receipt
    transfer: Transfer
    request: IncomingRequest | None
    row: DeskRow
    dispositions: list[Disposition]
    screening: Screening | None
    events: list[ReceiptEvent]
    files: list[Any]
    rule: PayerRule | None

    @property
    def id(self) -> UUID:
        return self.receipt.transfer_id

    @property
    def money(self) -> Money:
        return Money(self.receipt.amount_minor, self.receipt.currency)

    @property
    def live(self) -> Disposition | None:
        """The decision that stands or waits."""
        return next((one for one in self.dispositions if one.state in ("waiting", "posted")), None)

    @property
    def undecided(self) -> bool:
        return ReceiptState(self.receipt.state) in UNDECIDED

    @property
    def decidable(self) -> bool:
        """Somebody may decide it now: nothing waits for a second person."""
        return self.undecided and self.receipt.state != ReceiptState.WAITING

    @property
    def late(self) -> bool:
        return self.undecided and self.receipt.allocate_by < clock.now()


def way_back(decision: Disposition) -> Transfer | None:
    """The transfer of a return."""
    return session().get(Transfer, decision.return_transfer_id) if decision.return_transfer_id else None


#: what the bank said when the money came
_SAID = aliased(
    IncomingRequest,
    sa.select(IncomingRequest)
    .where(IncomingRequest.transfer_id == Receipt.transfer_id, IncomingRequest.reversal.is_(False))
    .order_by(IncomingRequest.id)
    .limit(1)
    .correlate(Receipt)
    .lateral("said"),
)
_SCREENED = aliased(
    Screening,
    sa.select(Screening)
    .where(Screening.transfer_id == Receipt.transfer_id)
    .order_by(Screening.id.desc())
    .limit(1)
    .correlate(Receipt)
    .lateral("screened"),
)
_RULE = sa.and_(
    PayerRule.payer_key == Transfer.counterparty_key,
    PayerRule.currency == Receipt.currency,
    PayerRule.state != "ended",
)
_ONE = (
    sa.select(
        Receipt, Transfer, QueueItem.id, QueueItem.assignee_id, StaffMember.name, _SAID, _SCREENED, PayerRule
    )
    .join(Transfer, Transfer.id == Receipt.transfer_id)
    .outerjoin(QueueItem, _ITEM)
    .outerjoin(StaffMember, StaffMember.id == QueueItem.assignee_id)
    .outerjoin(_SAID, sa.true())
    .outerjoin(_SCREENED, sa.true())
    .outerjoin(PayerRule, _RULE)
    .where(Receipt.transfer_id == _said("transfer", Receipt.transfer_id))
    .execution_options(populate_existing=True)
)  # fmt: skip


def _of_receipt(what: Any, table: Any, order: Any) -> Any:
    return sa.select(*what).where(table.transfer_id == _said("transfer", table.transfer_id)).order_by(order)


_DISPOSITIONS = _of_receipt([Disposition], Disposition, Disposition.number.desc())
_EVENTS = _of_receipt([ReceiptEvent], ReceiptEvent, ReceiptEvent.id.desc())
_FILES = _of_receipt(
    [
        ReceiptFile.id, ReceiptFile.name, ReceiptFile.size, ReceiptFile.media_type, ReceiptFile.at,
        ReceiptFile.by_name,
    ],
    ReceiptFile,
    ReceiptFile.id,
)  # fmt: skip


def item(transfer_id: UUID) -> Item:
    """Raises NotFound `receiptNotFound`, also for a transfer that never was unrecognized."""
    asked = {"transfer": transfer_id}
    found = session().execute(_ONE, asked).first()
    if found is None:
        raise NotFound("There is no such receipt.", code="receiptNotFound")
    receipt, transfer, item_id, assignee_id, assignee, request, screening, rule = found
    row = DeskRow(
        id=transfer_id, money=Money(receipt.amount_minor, receipt.currency),
        payer=transfer.counterparty_name or transfer.counterparty_account or "No payer named",
        text=transfer.remittance, state=receipt.state, cause=receipt.cause, booked_at=receipt.booked_at,
        received_at=transfer.created_at, allocate_by=receipt.allocate_by, resolve_by=receipt.resolve_by,
        assignee_id=assignee_id, assignee=assignee, item_id=item_id, reference=transfer.provider_reference,
    )  # fmt: skip
    return Item(
        receipt=receipt,
        transfer=transfer,
        row=row,
        request=request,
        dispositions=list(session().scalars(_DISPOSITIONS, asked)),
        screening=screening,
        events=list(session().scalars(_EVENTS, asked)),
        files=list(session().execute(_FILES, asked)),
        rule=rule,
    )


_OPEN_REQUESTS = (
    sa.select(ApprovalRequest)
    .where(
        ApprovalRequest.kind == sa.any_(sa.bindparam("kinds", type_=postgresql.ARRAY(sa.Text()))),
        ApprovalRequest.object_id
        == sa.any_(sa.bindparam("objects", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=True)))),
        ApprovalRequest.state == "requested",
    )
    .order_by(ApprovalRequest.id)
)


def open_requests(object_ids: Sequence[UUID], kinds: Sequence[str]) -> list[ApprovalRequest]:
    """What waits for a second person about this money, or these rules."""
    return list(session().scalars(_OPEN_REQUESTS, {"objects": list(object_ids), "kinds": list(kinds)}))


def accounts_of(client_ids: Sequence[UUID], *, limit: int) -> list[UUID]:
    """Open accounts of these clients, in the clients' order."""
    if not client_ids:
        return []
    rows = session().execute(
        sa.select(Account.id, Account.owner_id)
        .where(Account.owner_id.in_(client_ids), Account.status == "open")
        .order_by(Account.owner_id, Account.id)
        .limit(limit * 5)
    )
    place = {client_id: number for number, client_id in enumerate(client_ids)}
    return [row.id for row in sorted(rows, key=lambda row: place[row.owner_id])][:limit]


def raw_messages(transfer_id: UUID) -> list[ProviderMessage]:
    """What the bank said of it, word for word: oldest first."""
    by_request = sa.select(IncomingRequest.message_id).where(IncomingRequest.transfer_id == transfer_id)
    return list(
        session().scalars(
            sa.select(ProviderMessage)
            .where(sa.or_(ProviderMessage.transfer_id == transfer_id, ProviderMessage.id.in_(by_request)))
            .order_by(ProviderMessage.id)
            .limit(10)
        )
    )


def file_of(transfer_id: UUID, file_id: UUID) -> ReceiptFile:
    """Raises NotFound, also for the file of another receipt."""
    found = session().scalar(
        sa.select(ReceiptFile).where(ReceiptFile.id == file_id, ReceiptFile.transfer_id == transfer_id)
    )
    if found is None:
        raise NotFound("There is no such file.", code="fileNotFound")
    return found


def rules(
    *, ended: bool, limit: int, before: UUID | None = None, after: UUID | None = None
) -> list[PayerRule]:  # fmt: skip
    """Rules that assign a payer's money by themselves, newest first; those that ended apart. `before`: those older than
    a rule; `after`: the nearest newer ones."""
    query = sa.select(PayerRule).where(PayerRule.state == "ended" if ended else PayerRule.state != "ended")
    if after is not None:
        newer = query.where(PayerRule.id > after).order_by(PayerRule.id).limit(limit)
        return list(session().scalars(newer))[::-1]
    if before is not None:
        query = query.where(PayerRule.id < before)
    return list(session().scalars(query.order_by(PayerRule.id.desc()).limit(limit)))


def rule(rule_id: UUID) -> PayerRule:
    """Raises NotFound."""
    found = session().get(PayerRule, rule_id)
    if found is None:
        raise NotFound("There is no such rule.", code="ruleNotFound")
    return found
