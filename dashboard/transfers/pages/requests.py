"""What providers told of incoming money: the list, one request, and mending what could not be processed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import session, transaction
from dashboard.errors import DomainError, Invalid
from dashboard.ledger import numbers
from dashboard.money import Money
from dashboard.transfers.forms.requests import (
    MARKS,
    SEPARATE,
    SOURCES,
    STATE_LABELS,
    STATES,
    UNDECIDED,
    ClearForm,
    MendForm,
    RequestQuery,
)
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import requests as queries
from dashboard.transfers.queries.requests import Page
from dashboard.transfers.services import providers
from dashboard.transfers.services.desk import limits
from dashboard.transfers.services.incoming import clearing, correcting, payer_data, processing
from dashboard.transfers.vocabulary import STATUS_LABELS, STATUS_ROLES, RequestState, Status
from dashboard.views.lists import downloads, listed
from dashboard.web import exports, json
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

ROLES = {
    RequestState.RECEIVED: "info",
    RequestState.PROCESSED: "ok",
    RequestState.LINKED: "neutral",
    RequestState.FAILED: "stop",
    RequestState.WAITING: "wait",
}
#: a failure in the few words that a list has room for
SHORT = {
    "noAmount": "No amount",
    "noProviderAccount": "No bank account in this currency",
    "possiblyBooked": "Possibly booked already",
    "reversalDiffers": "Reversal of another amount",
    "severalOriginals": "Several credits fit",
    "alreadyReversed": "Reversed already",
    "accountClosed": "Account closed",
    "returnTooEarly": "Transfer not completed yet",
    "notReversible": "Not reversible",
}
SOURCE_LABELS = dict(SOURCES)
#: names of the API in words, for what a provider said differently and what was corrected
FIELDS = {
    "currency": "currency", "amount": "amount", "creditorAccountNumber": "creditor account",
    "creditorName": "creditor name", "debtorName": "payer", "debtorAccountNumber": "payer's account",
    "debtorBic": "payer's bank", "remittanceInformation": "remittance text", "endToEndId": "end-to-end id",
    "bookedAt": "booking time", "valueDate": "value date", "message": "message", "sameAs": "same credit as",
    "separate": "another credit",
}  # fmt: skip


def money_of(row: IncomingRequest) -> Money | None:
    """None where the message told none."""
    return Money(row.amount_minor, row.currency) if row.amount_minor and row.currency else None


def why(row: IncomingRequest) -> str:
    """What the list says beside the state."""
    if row.state == RequestState.FAILED:
        return SHORT.get(row.failure_code or "", row.failure or "")
    if row.state == RequestState.WAITING:
        return "For the desk" if row.transfer_id else "For its credit"
    if row.state == RequestState.LINKED:
        return "Told before"
    return "Reversal" if row.reversal else ""


def _providers() -> list[tuple[str, str]]:
    return [("", "Any"), *((one.key, one.name) for one in providers.all_providers())]


@transfers.get("/requests")
@listed(
    "incoming-requests", "Incoming requests",
    reads=lambda values, _actor: RequestQuery.read(values, providers=_providers()),
    keeps=("state", "provider", "source", "mark", "received_from", "received_to"), leaves=("text", "reference"),
)  # fmt: skip
@requires(Permission.TRANSFERS_READ)
def requests() -> Response:
    """One page of requests; for HTMX the list alone."""
    known = _providers()
    asked = RequestQuery.read(request.args, providers=known)
    if asked.errors:
        return _answer(asked, known, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, known, status=400, cursor_problem=True)
    page = queries.find(
        asked.chosen,
        size=DEFAULT_PAGE_SIZE,
        after=position.key if position else None,
        backwards=position.backwards if position else False,
    )
    earlier, later = _edges(asked, page, position)
    return _answer(
        asked,
        known,
        rows=page.rows,
        earlier=earlier,
        later=later,
        nothing_at_all=not page.rows and not asked.values and not queries.any_request(),
    )


def _edges(asked: RequestQuery, page: Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = backwards or page.more

    def address(row: IncomingRequest, back: bool) -> str:
        cursor = seal(Position(queries.key_of(row), backwards=back), bound=asked.bound)
        return url_for("transfers.requests") + asked.query(cursor=cursor)

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _answer(
    asked: RequestQuery, known: list[tuple[str, str]], *, status: int = 200, rows: Any = (), **context: Any
) -> Response:
    base = url_for("transfers.requests")
    response = page_or_fragment(
        "transfers/requests/list.html",
        "transfers/requests/_list.html",
        status=status,
        asked=asked,
        rows=rows,
        money=money_of,
        why=why,
        badges=_badges(),
        sources=SOURCE_LABELS,
        names=dict(known),
        choices={"state": STATES, "source": SOURCES, "mark": MARKS, "provider": known},
        base=base,
        part=wants_fragment(),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


REQUEST_COLUMNS = (
    Column("received", "Received", Kind.MOMENT),
    Column("payer", "Payer"),
    Column("account", "Payer's account"),
    Column("remittance", "Remittance text", share=2),
    Column("provider", "Provider", share=0.7),
    Column("source", "Told by", share=0.7),
    Column("reference", "Provider reference"),
    Column("booked", "Booked", Kind.MOMENT),
    Column("state", "State", share=0.7),
    Column("why", "Reason"),
    Column("reversal", "Reversal", share=0.4),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("id", "Request", share=1.4),
)
#: rows that an export reads at once
PART = 1_000


@transfers.get("/requests/export/<form>")
@downloads("incoming-requests")
@requires(Permission.TRANSFERS_READ)
def export_requests(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`; a reversal has a negative amount."""
    chosen_format = Format.of_a_list(form)
    known = [("", "Any"), *((one.key, one.name) for one in providers.all_providers())]
    asked = RequestQuery.read(request.args, providers=known)
    if asked.errors:
        return _answer(asked, known, status=422)
    names, states = dict(known), _badges()

    def after(last: IncomingRequest | None) -> list[IncomingRequest]:
        return list(queries.find(asked.chosen, size=PART, after=queries.key_of(last) if last else None).rows)

    def rows() -> Iterator[Row]:
        for part in parts(after):
            for row in part:
                amount = money_of(row)
                yield {
                    "received": row.created_at,
                    "payer": row.debtor_name,
                    "account": row.debtor_account,
                    "remittance": row.remittance,
                    "provider": names.get(row.provider, row.provider),
                    "source": SOURCE_LABELS.get(row.source, row.source),
                    "reference": row.provider_reference,
                    "booked": row.booked_at,
                    "state": states[row.state][1],
                    "why": why(row),
                    "reversal": "yes" if row.reversal else "",
                    "amount": (-amount.amount if row.reversal else amount.amount) if amount else None,
                    "currency": amount.currency.upper() if amount else None,
                    "id": row.id,
                }

    about = exports.about("Incoming requests", filters=asked.in_words(known), by=current_actor().name)
    return exports.answer(Listing(about, REQUEST_COLUMNS), rows, chosen_format)


def _badges() -> dict[str, tuple[str, str]]:
    return {state.value: (ROLES[state], label) for state, label in STATE_LABELS.items()}


@transfers.get("/requests/<uuid:request_id>")
@requires(Permission.TRANSFERS_READ)
def request_page(request_id: UUID) -> Response:
    """What the bank sent, what became of it, and what else was told of the same money."""
    return _shown(queries.get(request_id), MendForm())


@transfers.post("/requests/<uuid:request_id>/process")
@requires(Permission.TRANSFERS_ASSIGN)
def process_request(request_id: UUID) -> Any:
    """Mend and process again. What could not be done is said on the page; the attempt stays."""
    form = MendForm()
    known = queries.get(request_id)
    if not form.validate():
        return _shown(known, form, status=422)
    try:
        corrections = form.corrections(known_currency=known.currency)
        with transaction():
            done = correcting.process_again(request_id, corrections=corrections, by=current_actor())
            state, failure = done.state, done.failure
    except DomainError as refusal:
        show_errors(form, refusal)
        return _shown(queries.get(request_id), form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    if state == RequestState.FAILED:
        flash(f"Not processed: {failure}", "stop")
    elif state == RequestState.WAITING:
        flash("It waits; nothing was booked.", "wait")
    else:
        flash("Linked to what was told before." if state == RequestState.LINKED else "Processed.", "ok")
    return go(url_for("transfers.request_page", request_id=request_id))


@transfers.post("/requests/<uuid:request_id>/clear")
@requires(Permission.TRANSFERS_ASSIGN)
def clear_request(request_id: UUID) -> Any:
    """Say what the provider answered about its two tellings."""
    form = ClearForm()
    known = queries.get(request_id)
    if not form.validate():
        return _shown(known, MendForm(formdata=None), clear=form, status=422)
    try:
        with transaction():
            clearing.clear_up(request_id, reason=form.reason.data, by=current_actor())
    except DomainError as refusal:
        show_errors(form, refusal)
        return _shown(
            known, MendForm(formdata=None), clear=form, status=422 if isinstance(refusal, Invalid) else refusal.status
        )
    flash("Cleared up. The first telling stands.", "ok")
    return go(url_for("transfers.request_page", request_id=request_id))


def _choices(row: IncomingRequest, doubtful: list[IncomingRequest]) -> list[tuple[str, str]]:
    """What a person may say of a request that means one of these."""
    found = [(UNDECIDED, "I cannot say yet")]
    for one in doubtful:
        said = f"{money_of(one)}, {one.debtor_name or 'payer unknown'}, {one.provider_reference}"
        found.append((str(one.id), f"It takes back {said}" if row.reversal else f"The same as {said}"))
    if row.failure_code == "possiblyBooked":
        found.append((SEPARATE, "Another credit: book it"))
    return found


def _shown(row: IncomingRequest, form: MendForm, *, clear: ClearForm | None = None, status: int = 200) -> Response:
    open_ = row.state in (RequestState.FAILED, RequestState.WAITING, RequestState.RECEIVED)
    related = queries.related(row)
    transfer = session().get(Transfer, row.transfer_id) if row.transfer_id else None
    form.decision.choices = _choices(row, related.doubtful)
    code = row.failure_code or ""
    return page_or_fragment(
        "transfers/requests/show.html",
        "transfers/requests/show.html",
        status=status,
        row=row,
        form=form,
        title=f"{'Reversal' if row.reversal else 'Credit'} {money_of(row) or 'without an amount'}",
        badge_of=_badges()[row.state],
        badges=_badges(),
        money=money_of,
        why=why(row),
        failure=processing.FAILURES.get(code),
        related=related,
        corrections=queries.corrections_of(row.id),
        contradictions=queries.contradictions_of(row.id),
        clear=(clear or ClearForm(formdata=None))
        if current_actor().may(Permission.TRANSFERS_ASSIGN) and clearing.waits(row.id)
        else None,
        fields=FIELDS,
        missing=[payer_data.LABELS.get(mark, mark) for mark in row.missing],
        transfer=transfer,
        transfer_badge=(
            (STATUS_ROLES[Status(transfer.status)], STATUS_LABELS[Status(transfer.status)]) if transfer else None
        ),
        sources=SOURCE_LABELS,
        provider=providers.provider(row.provider),
        grouped=numbers.in_groups,
        raw=json.dumps(row.raw, indent=2, ensure_ascii=False),
        may_process=open_ and current_actor().may(Permission.TRANSFERS_ASSIGN),
        limit=limits.limit_of(row.currency) if row.currency else None,
    )
