"""The desk for unrecognized money, read: the list by its deadlines, the sums, and what belongs to one receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

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


def _conditions(chosen: DeskFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [_undecided()]
    if chosen.currency:
        found.append(Receipt.currency == chosen.currency)
    if chosen.state:
        found.append(Receipt.state == chosen.state)
    if chosen.amounts is not None:
        found.append(
            sa.or_(sa.false(), *(
                sa.and_(Receipt.currency == code, Receipt.amount_minor == minor) for code, minor in chosen.amounts
            ))
        )  # fmt: skip
    if chosen.payer:
        account = "".join(chosen.payer.split()).upper()
        by_account = Transfer.counterparty_key.contains(account, autoescape=True)
        name = _folded(sa.func.coalesce(Transfer.counterparty_name, ""))
        by_name = [name.contains(word, autoescape=True) for word in words(chosen.payer)]
        found.append(sa.or_(by_account, sa.and_(*by_name)) if by_name else by_account)
    if chosen.text:
        found += [Transfer.search_text.contains(word, autoescape=True) for word in words(chosen.text)]
    if chosen.late:
        found.append(Receipt.allocate_by < clock.now())
    if chosen.due_before is not None:
        found += [Receipt.allocate_by >= clock.now(), Receipt.allocate_by <= chosen.due_before]
    return found


#: the work item of a receipt: reminders about the same receipt have causes of their own
_ITEM = sa.and_(
    QueueItem.queue == QUEUE,
    QueueItem.object_id == Receipt.transfer_id,
    QueueItem.cause == Receipt.cause,
    QueueItem.closed_at.is_(None),
)


def _places(chosen: DeskFilter) -> Any:
    """The receipts that pass, without what belongs to them: a page of them is cut first, and only its rows are read
    whole. A statement of its own joins the rest only where a filter asks for it."""
    query: Any = sa.select(Receipt.transfer_id, Receipt.allocate_by, Receipt.amount_minor).where(*_conditions(chosen))
    if chosen.payer or chosen.text:
        query = query.join(Transfer, Transfer.id == Receipt.transfer_id)
    if chosen.whose == "any":
        return query
    if chosen.whose == "me":
        return query.join(QueueItem, _ITEM).where(QueueItem.assignee_id == chosen.reader)
    query = query.outerjoin(QueueItem, _ITEM)
    if chosen.whose == "none":
        return query.where(QueueItem.assignee_id.is_(None))
    return query.where(sa.or_(QueueItem.assignee_id == chosen.reader, QueueItem.assignee_id.is_(None)))


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


def _beyond(key: Key, *, backwards: bool) -> sa.ColumnElement[bool]:
    """Rows after the key, or before it: by deadline, then larger amounts first, then identifier."""
    allocate_by, negative, id_ = key
    minor = -negative
    if backwards:
        later = Receipt.allocate_by < allocate_by
        same = sa.or_(
            Receipt.amount_minor > minor, sa.and_(Receipt.amount_minor == minor, Receipt.transfer_id < id_)
        )  # fmt: skip
        return sa.and_(Receipt.allocate_by <= allocate_by, sa.or_(later, same))
    later = Receipt.allocate_by > allocate_by
    same = sa.or_(Receipt.amount_minor < minor, sa.and_(Receipt.amount_minor == minor, Receipt.transfer_id > id_))
    return sa.and_(Receipt.allocate_by >= allocate_by, sa.or_(later, same))


def page(chosen: DeskFilter, *, after: Key | None = None, before: Key | None = None, limit: int) -> list[DeskRow]:
    """Receipts that need a decision: late ones first, the nearest deadline next, larger amounts first in each."""
    places = _places(chosen)
    if before is not None:
        places = places.where(_beyond(before, backwards=True)).order_by(
            Receipt.allocate_by.desc(), Receipt.amount_minor, Receipt.transfer_id.desc()
        )
    else:
        if after is not None:
            places = places.where(_beyond(after, backwards=False))
        places = places.order_by(Receipt.allocate_by, Receipt.amount_minor.desc(), Receipt.transfer_id)
    return [_row(found) for found in session().execute(_whole(places.limit(limit)))]


def stream(chosen: DeskFilter) -> Iterator[DeskRow]:
    """The whole list in its order, for a file."""
    for found in session().execute(_whole(_places(chosen)).execution_options(yield_per=1000)):
        yield _row(found)


def decided_by(reader: UUID) -> list[DeskRow]:
    """What this reader assigned or sent back within the last half hour, and nobody undid."""
    query = (
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
            Disposition.made_by_id == reader,
            Receipt.settled_at > clock.now() - STAYS,
        )
        .order_by(Receipt.settled_at.desc())
        .limit(MOST_DONE)
    )  # fmt: skip
    return [_row(found[:16], found[16], found[17]) for found in session().execute(query)]


def next_after(chosen: DeskFilter, place: Key | None) -> UUID | None:
    """The receipt that comes next in the list, from its beginning where none follows."""
    if place is not None:
        rows = page(chosen, after=place, limit=1)
        if rows:
            return rows[0].id
    rows = page(chosen, limit=1)
    return rows[0].id if rows else None


def sums(reader: UUID | None) -> Sums:
    """All that waits, currency by currency, and how much of it is whose: each counted by itself, never row by row."""
    work = sa.select(
        sa.func.count().filter(QueueItem.assignee_id == reader).label("mine"),
        sa.func.count().filter(QueueItem.assignee_id.is_(None)).label("unassigned"),
    ).where(QueueItem.queue == QUEUE, QueueItem.closed_at.is_(None), QueueItem.cause.not_in(REMINDERS))
    whose = work.subquery()
    by_currency = (
        sa.select(
            Receipt.currency,
            sa.func.sum(Receipt.amount_minor).label("amount"),
            sa.func.count().label("items"),
            sa.func.count().filter(Receipt.allocate_by < clock.now()).label("late"),
        )
        .where(_undecided())
        .group_by(Receipt.currency)
        .subquery()
    )
    rows = session().execute(sa.select(by_currency, whose).join(whose, sa.true())).all()
    found = [CurrencySum(Money(int(row.amount), row.currency), row.items, row.late) for row in rows]
    mine, unassigned = (rows[0].mine, rows[0].unassigned) if rows else (0, 0)
    return Sums(sorted(found, key=lambda one: (-one.items, one.money.currency)), mine, unassigned)


def last_incoming() -> LastFile | None:
    """The newest message that a provider gave."""
    found = (
        session()
        .execute(
            sa.select(Provider.name, ProviderMessage.at)
            .join(Provider, Provider.key == ProviderMessage.provider)
            .where(ProviderMessage.direction == "in")
            .order_by(ProviderMessage.id.desc())
            .limit(1)
        )
        .first()
    )
    return LastFile(found[0], found[1]) if found else None


@dataclass(frozen=True)
class Claim:
    """A credit that the bank took back from a client who has spent it: people decide what becomes of it."""

    transfer_id: UUID
    money: Money
    payer: str
    due_at: datetime
    client_id: UUID | None


def claims() -> list[Claim]:
    """Such credits, by their due time."""
    rows = session().execute(
        sa.select(
            Transfer.id, Transfer.amount_minor, Transfer.currency, Transfer.counterparty_name, QueueItem.due_at,
            Transfer.client_id,
        )
        .join(QueueItem, QueueItem.object_id == Transfer.id)
        .where(QueueItem.queue == QUEUE, QueueItem.cause == CLAIM, QueueItem.closed_at.is_(None))
        .order_by(QueueItem.due_at, QueueItem.id)
        .limit(MOST_DONE)
    )  # fmt: skip
    return [
        Claim(id_, Money(minor, currency), name or "No payer named", due, client)
        for id_, minor, currency, name, due, client in rows
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


def item(transfer_id: UUID) -> Item:
    """Raises NotFound `receiptNotFound`, also for a transfer that never was unrecognized."""
    found = (
        session()
        .execute(
            sa.select(Receipt, Transfer, QueueItem.id, QueueItem.assignee_id, StaffMember.name)
            .join(Transfer, Transfer.id == Receipt.transfer_id)
            .outerjoin(QueueItem, _ITEM)
            .outerjoin(StaffMember, StaffMember.id == QueueItem.assignee_id)
            .where(Receipt.transfer_id == transfer_id)
            .execution_options(populate_existing=True)
        )
        .first()
    )
    if found is None:
        raise NotFound("There is no such receipt.", code="receiptNotFound")
    receipt, transfer, item_id, assignee_id, assignee = found
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
        request=session().scalar(
            sa.select(IncomingRequest)
            .where(IncomingRequest.transfer_id == transfer_id, IncomingRequest.reversal.is_(False))
            .order_by(IncomingRequest.id)
            .limit(1)
        ),
        dispositions=_of(Disposition, transfer_id, Disposition.number.desc()),
        screening=session().scalar(
            sa.select(Screening).where(Screening.transfer_id == transfer_id).order_by(Screening.id.desc()).limit(1)
        ),
        events=_of(ReceiptEvent, transfer_id, ReceiptEvent.id.desc()),
        files=list(
            session().execute(
                sa.select(
                    ReceiptFile.id, ReceiptFile.name, ReceiptFile.size, ReceiptFile.media_type, ReceiptFile.at,
                    ReceiptFile.by_name,
                )
                .where(ReceiptFile.transfer_id == transfer_id)
                .order_by(ReceiptFile.id)
            )
        ),
        rule=session().scalar(
            sa.select(PayerRule)
            .where(
                PayerRule.payer_key == transfer.counterparty_key, PayerRule.currency == receipt.currency,
                PayerRule.state != "ended",
            )
        )
        if transfer.counterparty_key
        else None,
    )  # fmt: skip


def _of(table: Any, transfer_id: UUID, order: Any) -> list[Any]:
    return list(session().scalars(sa.select(table).where(table.transfer_id == transfer_id).order_by(order)))


def open_requests(object_ids: Sequence[UUID], kinds: Sequence[str]) -> list[ApprovalRequest]:
    """What waits for a second person about this money, or these rules."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(
                ApprovalRequest.kind.in_(kinds), ApprovalRequest.object_id.in_(object_ids),
                ApprovalRequest.state == "requested",
            )
            .order_by(ApprovalRequest.id)
        )
    )  # fmt: skip


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
