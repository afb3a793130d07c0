"""The desk for unrecognized money: the list by its deadlines, and one receipt beside it or on its own page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from flask import Response, current_app, make_response, render_template, request, send_file, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.rows import RequestRow
from dashboard.approvals.rows import rows as request_rows
from dashboard.errors import Invalid, NotFound
from dashboard.ledger import numbers
from dashboard.ledger.queries.parties import Party, parties
from dashboard.settings import Settings
from dashboard.transfers.badges import Badge, status_badge
from dashboard.transfers.forms.desk import CURRENCIES, STATE_CHOICES, STATES, WHOSE, DeskQuery
from dashboard.transfers.models import Transfer
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.evidence import Evidence, Piece, evidence_of, pieces
from dashboard.transfers.pages.log import LogLine, lines
from dashboard.transfers.queries import desk as queries
from dashboard.transfers.queries.desk import DeskRow, Item, Key, LastFile
from dashboard.transfers.services.desk import assigning, returning, undoing
from dashboard.transfers.services.incoming import payer_data
from dashboard.transfers.vocabulary import Cause, ReceiptState
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, TooManyRows
from dashboard.web.htmx import wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, neighbours, unseal

#: requests about the money itself; a rule is asked for about a payer
ABOUT_MONEY = (assigning.KIND, returning.KIND, undoing.KIND, undoing.RECEIVABLE)
CAUSES = {
    Cause.NOT_RECOGNIZED: "No rule fits: neither an account nor a reference of a client was found.",
    Cause.CREDIT_FROZEN: "The account may not be credited: held for compliance.",
    Cause.ACCOUNT_CLOSED: "The account is closed.",
    Cause.CURRENCY: "The account is of another currency.",
    Cause.UNDONE: "An earlier decision was undone.",
}


def settings() -> Settings:
    """The settings of this application."""
    found: Settings = current_app.extensions["countinghouse.settings"]
    return found


def query_here() -> DeskQuery:
    """The list that the address names."""
    return DeskQuery.read(request.args, reader=current_actor().id, calendar=clock.calendar())


def wanted_part() -> str:
    """Which part of the page HTMX asks for: list, detail or act; empty for the whole page."""
    return request.headers.get("HX-Target", "") if wants_fragment() else ""


@dataclass(frozen=True)
class Group:
    """Rows with the same deadline."""

    at: datetime
    rows: list[DeskRow]


def _groups(rows: list[DeskRow]) -> list[Group]:
    found: list[Group] = []
    for row in rows:
        if not found or found[-1].at != row.allocate_by:
            found.append(Group(row.allocate_by, []))
        found[-1].rows.append(row)
    return found


def _key_of(position: Position) -> Key:
    return datetime.fromisoformat(position.key[0]), int(position.key[1]), UUID(position.key[2])


def _stale_file(last: LastFile | None) -> bool:
    """No file today although it is a business day: the list may lack what came since."""
    calendar = clock.calendar()
    today = calendar.today()
    return last is not None and calendar.is_business_day(today) and calendar.today(last.at) < today


def _list_context(asked: DeskQuery) -> dict[str, Any]:
    """What the list shows, in at most four queries."""
    actor = current_actor()
    context: dict[str, Any] = {
        "asked": asked, "states": STATES, "whose": WHOSE, "groups": [], "count": 0, "may_assign": may_assign(),
        "choices": {"currency": CURRENCIES, "state": STATE_CHOICES}, "reader": actor.id, "cursor_problem": False,
        "sums": queries.sums(actor.id), "last": queries.last_incoming(), "prev_url": None, "next_url": None,
        "part": wanted_part() == "list",
    }  # fmt: skip
    context["stale_file"] = _stale_file(context["last"])
    if asked.errors:
        return context
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return context | {"cursor_problem": True}
    key = _key_of(position) if position else None
    backwards = position is not None and position.backwards
    found = queries.page(
        asked.chosen,
        after=None if backwards else key,
        before=key if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    rows, before, after = neighbours(
        found,
        position,
        size=DEFAULT_PAGE_SIZE,
        key=lambda row: [row.allocate_by.isoformat(), row.key[1], str(row.id)],
        bound=asked.bound,
    )
    shown = rows
    if actor.id is not None:
        first, last = (rows[0].key, rows[-1].key) if rows else (None, None)
        # what one has just decided stays where it stood, as long as that is on this page
        done = [
            row
            for row in queries.decided_by(actor.id)
            if (not before or first is None or row.key > first) and (not after or last is None or row.key < last)
        ]
        shown = sorted([*rows, *done], key=lambda row: row.key)
    return context | {
        "groups": _groups(shown),
        "rows": rows,
        "count": len(rows),
        "prev_url": url_for(".desk") + asked.query(cursor=before) if before else None,
        "next_url": url_for(".desk") + asked.query(cursor=after) if after else None,
    }


def may_assign() -> bool:
    """Whether this reader may decide at all."""
    return current_actor().may(Permission.TRANSFERS_ASSIGN)


@dataclass(frozen=True)
class Detail:
    """One receipt as the page shows it."""

    item: Item
    evidence: Evidence
    text: list[Piece]
    account: str | None
    pending: RequestRow | None
    who_has: str | None
    mine: bool
    decided_for: Party | None
    #: the transfer that takes the money back to its payer, and its state
    way_back: tuple[Transfer, Badge] | None
    log: list[LogLine]
    may: bool

    @property
    def can_act(self) -> bool:
        return self.may and self.item.decidable


def detail_of(item: Item) -> Detail:
    """Reads what belongs to the receipt: the candidates only where they can still be chosen."""
    actor = current_actor()
    live = item.live
    evidence = evidence_of(item)
    idle = timedelta(minutes=settings().session_idle_minutes)
    waiting = queries.open_requests([item.id], ABOUT_MONEY)
    asked = request_rows(waiting[:1], actor=actor, idle=idle)[0] if waiting else None
    decided_for = None
    if live is not None and live.account_id is not None:
        decided_for = parties([live.account_id]).get(live.account_id)
    back = queries.way_back(live) if live is not None else None
    account = item.transfer.counterparty_account
    mine = item.row.assignee_id is not None and item.row.assignee_id == actor.id
    return Detail(
        item=item,
        evidence=evidence,
        text=pieces(item.transfer.remittance or "", evidence.marks),
        account=numbers.in_groups(account) if account else None,
        pending=asked,
        who_has="you" if mine else item.row.assignee,
        mine=mine,
        decided_for=decided_for,
        way_back=(back, status_badge(back.status)) if back else None,
        log=lines(item.events),
        may=may_assign(),
    )


def item_context(item: Item, asked: DeskQuery) -> dict[str, Any]:
    """What the part about one receipt needs."""
    return {
        "d": detail_of(item),
        "asked": asked,
        "states": STATES,
        "causes": CAUSES,
        "missing": [payer_data.LABELS.get(mark, mark) for mark in item.request.missing] if item.request else [],
        "in_groups": numbers.in_groups,
        "at": {"transfer_id": item.id, **asked.values, **({"cursor": asked.cursor} if asked.cursor else {})},
        "raw": queries.raw_messages(item.id) if request.args.get("raw") else None,
        "ReceiptState": ReceiptState,
    }


def answer(
    asked: DeskQuery, item: Item | None, *, act: str | None = None, status: int = 200, alone: bool = True, **more: Any
) -> Response:
    """The whole page, or the part that HTMX asked for. `act`: template of what is being done to the receipt;
    `alone`: on a phone the receipt stands alone, not below the list."""
    part = wanted_part()
    if part == "list":
        page = render_template("transfers/desk/_list.html", **_list_context(asked))
    elif part == "act" and item is not None and act is not None:
        page = render_template(act, **item_context(item, asked), **more)
    elif part == "detail" and item is not None:
        page = render_template("transfers/desk/_item.html", act=act, **item_context(item, asked), **more)
    else:
        context = _list_context(asked)
        if item is None and context["count"] and not part:
            item = queries.item(context["rows"][0].id)
        if item is not None:
            context |= item_context(item, asked)
        page = render_template(
            "transfers/desk/show.html",
            **context,
            claims=queries.claims() if context["sums"].claims else [],
            act=act,
            alone=alone and item is not None,
            open_id=item.id if item else None,
            **more,
        )
    response = make_response(page, status)
    response.headers.add("Vary", "HX-Request, HX-Target")
    if part == "list" and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = url_for(".desk") + asked.query()
    return response


@transfers.get("/unrecognized")
@listed(
    "unrecognized", "Unrecognized money",
    reads=lambda values, actor: DeskQuery.read(values, reader=actor.id, calendar=clock.calendar()),
    keeps=("who", "currency", "state", "amount", "due", "late"), leaves=("payer", "text"),
)  # fmt: skip
@requires(Permission.TRANSFERS_READ)
def desk() -> Response:
    """Whose money is this, and how long have I got? Beside the list the receipt that is due first."""
    asked = query_here()
    if asked.errors:
        return answer(asked, None, status=422, alone=False)
    return answer(asked, None, alone=False)


@transfers.get("/unrecognized/<uuid:transfer_id>")
@requires(Permission.TRANSFERS_READ)
def receipt(transfer_id: UUID) -> Response:
    """One receipt, beside its list where there is room."""
    return answer(query_here(), queries.item(transfer_id))


@transfers.get("/unrecognized/<uuid:transfer_id>/files/<uuid:file_id>")
@requires(Permission.TRANSFERS_READ)
def receipt_file(transfer_id: UUID, file_id: UUID) -> Response:
    """A file that belongs to the question: only ever saved, never shown by the browser."""
    found = queries.file_of(transfer_id, file_id)
    response = send_file(
        BytesIO(found.content), mimetype="application/octet-stream", as_attachment=True, download_name=found.name
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, no-store"
    return response


COLUMNS = (
    Column("allocate_by", "Allocate by", Kind.MOMENT),
    Column("resolve_by", "Resolve by", Kind.MOMENT),
    Column("late", "Late", share=0.4),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("payer", "Payer"),
    Column("text", "Text", share=2),
    Column("booked_at", "Booked", Kind.MOMENT),
    Column("received_at", "Received", Kind.MOMENT),
    Column("state", "State", share=0.6),
    Column("assignee", "Assignee"),
    Column("reference", "Provider reference"),
    Column("id", "Transfer", share=1.4),
)


def _exported(asked: DeskQuery) -> Iterator[dict[str, object]]:
    now = clock.now()
    for row in queries.stream(asked.chosen):
        yield {
            "allocate_by": row.allocate_by,
            "resolve_by": row.resolve_by,
            "late": "yes" if row.allocate_by < now else "no",
            "amount": row.money,
            "currency": row.money.currency.upper(),
            "payer": row.payer,
            "text": row.text,
            "booked_at": row.booked_at,
            "received_at": row.received_at,
            "state": STATES[ReceiptState(row.state)][1],
            "assignee": row.assignee,
            "reference": row.reference,
            "id": row.id,
        }


@transfers.get("/unrecognized/export/<form>")
@downloads("unrecognized")
@requires(Permission.TRANSFERS_READ)
def export_desk(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    if form not in {Format.CSV, Format.XLSX}:
        raise NotFound("Choose csv or xlsx.")
    asked = query_here()
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, asked.errors[0].message)
    about = exports.about("Unrecognized money", filters=asked.in_words(), by=current_actor().name)
    try:
        return exports.answer(Listing(about, COLUMNS), lambda: _exported(asked), Format(form))
    except TooManyRows as refusal:
        back = url_for(".desk") + asked.query()
        page = render_template(
            "transfers/desk/export_refused.html", message=refusal.message, back=back,
            as_csv=url_for(".export_desk", form="csv") + asked.query(),
        )  # fmt: skip
        return Response(page, status=422)
