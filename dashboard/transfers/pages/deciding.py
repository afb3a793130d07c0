"""What people do at the desk. Each act is a form below the receipt; it reads back what will happen, and the next
receipt opens after it. A colleague who was faster is named in place, and what was typed stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import flash, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import queries as approvals
from dashboard.approvals.names import people_in_words
from dashboard.clients import queries as clients
from dashboard.clients.badges import status_badge
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger import owners
from dashboard.ledger.queries.parties import Party, numbered, parties
from dashboard.queues import services as queues
from dashboard.transfers.forms.desk_deciding import (
    LARGEST_FILE,
    AskForm,
    AssignForm,
    KeepForm,
    NoteForm,
    ReasonForm,
    ReplyForm,
    ReturnForm,
    ScreeningForm,
    SeenForm,
)
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.desk import answer, query_here, settings
from dashboard.transfers.queries import desk as desk_queries
from dashboard.transfers.queries.desk import Claim, Item
from dashboard.transfers.services.desk import (
    asking,
    assigning,
    keeping,
    limits,
    positions,
    returning,
    screening,
    standing,
    undoing,
)
from dashboard.transfers.vocabulary import ReceiptState, ScreeningResult
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

ACTS = "transfers/desk/_{}.html"
#: accounts that a search shows at most
MOST_FOUND = 12
#: a file and what surrounds it in the request
LARGEST_UPLOAD = LARGEST_FILE + 256 * 1024


@transfers.url_value_preprocessor
def allow_files(endpoint: str | None, _values: Any) -> None:
    """Files are larger than any other request; the limit is set before anything reads the body."""
    if endpoint == "transfers.reply_receipt":
        request.max_content_length = LARGEST_UPLOAD


def _show(item: Item, act: str, form: FlaskForm | None, *, status: int = 200, **more: Any) -> Any:
    return answer(query_here(), item, act=ACTS.format(act), status=status, form=form, **more)


def _here(transfer_id: UUID) -> str:
    return url_for(".receipt", transfer_id=transfer_id) + query_here().here


def _onward(item: Item) -> str:
    """The next receipt of the same list; the list itself where there is none."""
    asked = query_here()
    following = desk_queries.next_after(asked.chosen, item.row.key) if not asked.errors else None
    if following is None or following == item.id:
        return url_for(".desk") + asked.query()
    return url_for(".receipt", transfer_id=following) + asked.here


def happened(item: Item) -> str:
    """What has become of a receipt meanwhile, in words."""
    live, state = item.live, ReceiptState(item.receipt.state)
    who = "You" if live and live.made_by_id == current_actor().id else live.made_by_name if live else ""
    if live is not None and state is ReceiptState.ASSIGNED and live.account_id:
        party = parties([live.account_id]).get(live.account_id)
        return f"{who} assigned it to {party.short if party else 'a client'} meanwhile."
    if live is not None and state is ReceiptState.WAITING:
        return f"{who} has asked for a decision meanwhile; it waits for a second person."
    if state is ReceiptState.RETURNED:
        return f"{who} sent it back meanwhile."
    if state is ReceiptState.REVERSED:
        return "The bank has reversed this credit meanwhile. Nothing is left to decide."
    if item.events:
        return f"{item.events[0].by_name} changed it meanwhile: it is {state.value} now."
    return f"It has changed meanwhile: it is {state.value} now."


def _unchanged(item_id: UUID, form: SeenForm) -> None:
    """Raises Conflict `changedMeanwhile` where the receipt is no longer as the form showed it."""
    _, receipt = positions.locked(item_id)
    if form.seen_version is not None and form.seen_version != receipt.version:
        raise Conflict("It has changed meanwhile.", code="changedMeanwhile")


def _attempt(item: Item, form: SeenForm, act: str, verb: Callable[[], Any], **more: Any) -> Any:
    """Run the verb in one transaction. None: done; else the answer that says in place why not."""
    if not form.validate():
        return _show(item, act, form, status=422, **more)
    try:
        with transaction():
            _unchanged(item.id, form)
            verb()
    except (Invalid, Conflict, Refused, Forbidden, NotFound) as refusal:
        return _refused(item, form, act, refusal, more)
    return None


def _refused(item: Item, form: SeenForm, act: str, refusal: DomainError, more: dict[str, Any]) -> Any:
    now = desk_queries.item(item.id)
    if now.receipt.version != (form.seen_version or now.receipt.version) or (item.decidable and not now.decidable):
        more["stale"] = happened(now)
        # whoever has read it may go on, as far as the receipt allows
        form.seen.data = str(now.receipt.version)
    elif isinstance(refusal, Refused) and refusal.code == "lateReasonRequired" and hasattr(form, "late_reason"):
        form.late_reason.errors = [refusal.message]
    else:
        show_errors(form, refusal)
    return _show(now, act, form, status=422, **more)


def _fresh(form: SeenForm, item: Item) -> None:
    form.seen.data = str(item.receipt.version)


def _second_person(item: Item, kind_key: str) -> dict[str, Any]:
    """Whether so much takes two people, above which limit, and who could be the second."""
    needs = limits.needs_two(item.receipt.currency, item.receipt.amount_minor)
    idle = timedelta(minutes=settings().session_idle_minutes)
    actor = current_actor()
    people = approvals.deciders_for(actor, kind_key, idle=idle) if needs else []
    return {
        "needs_two": needs,
        "limit": limits.limit_of(item.receipt.currency) if needs else None,
        "deciders": len(people),
        "who_can": people_in_words(people, actor.id) if needs else "",
    }


def _no_way_back(item: Item) -> str | None:
    """Why this money cannot be sent back from here; None where it can."""
    try:
        returning.destination(item.transfer)
    except Refused as refusal:
        return refusal.message
    return None


def _target(text: str) -> Party | None:
    try:
        account_id = UUID(text)
    except ValueError:
        return None
    return parties([account_id]).get(account_id)


@transfers.route("/unrecognized/<uuid:transfer_id>/assign", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def assign_receipt(transfer_id: UUID) -> Any:
    """Reads back amount, payer, client and account; sent from there it posts, or asks a second person."""
    item, form, actor = desk_queries.item(transfer_id), AssignForm(), current_actor()
    if request.method == "GET":
        form.account.data = request.args.get("account", "")[:60]
        _fresh(form, item)
    party = _target(form.account.data or "")
    two = _second_person(item, assigning.KIND)
    more: dict[str, Any] = {"party": party, **two}
    if party is None:
        return _show(item, "other", None, status=404 if request.args.get("account") else 200, find="", found=[])
    if request.method == "GET":
        return _show(item, "assign", form, **more)

    def verb() -> None:
        said: dict[str, Any] = {
            "account_id": form.account_id, "comment": form.comment.data, "late_reason": form.late_reason.data,
            "by": actor,
        }  # fmt: skip
        if two["needs_two"]:
            assigning.ask_to_assign(transfer_id, **said)
        else:
            assigning.assign(transfer_id, **said)

    wrong = _attempt(item, form, "assign", verb, **more)
    if wrong is not None:
        return wrong
    if two["needs_two"]:
        flash(f"Asked to assign {item.money} to {party.short}. Can decide: {two['who_can']}.", "wait")
    else:
        flash(f"Assigned {item.money} to {party.short}.", "ok")
    return go(_onward(item))


@transfers.get("/unrecognized/<uuid:transfer_id>/other")
@requires(Permission.TRANSFERS_ASSIGN)
def other_account(transfer_id: UUID) -> Any:
    """Look for an account that was not proposed: by number, the end of a number, or the client's name."""
    item = desk_queries.item(transfer_id)
    find = request.args.get("find", "").strip()[:100]
    found = _found(find) if find else []
    return _show(item, "other", None, find=find, found=found)


def _found(find: str) -> list[dict[str, Any]]:
    ids = numbered(find, MOST_FOUND)
    if len(ids) < MOST_FOUND:
        ids += desk_queries.accounts_of(owners.directory().matching(find, MOST_FOUND), limit=MOST_FOUND)
    sides = parties(ids)
    shown = [sides[one] for one in dict.fromkeys(ids) if one in sides and sides[one].type == "client"][:MOST_FOUND]
    by_client = clients.by_ids([UUID(side.url.rsplit("/", 1)[1]) for side in shown if side.url])
    freezes = clients.freezes(by_client.values())
    rows = []
    for side in shown:
        client = by_client.get(UUID(side.url.rsplit("/", 1)[1])) if side.url else None
        rows.append({"side": side, "badge": status_badge(client, freezes.get(client.id)) if client else None})
    return rows


@transfers.route("/unrecognized/<uuid:transfer_id>/return", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def return_receipt(transfer_id: UUID) -> Any:
    """Send it back to where it came from: only there, and only after a screening without a hit."""
    item, form, actor = desk_queries.item(transfer_id), ReturnForm(), current_actor()
    form.currency = item.receipt.currency
    two = _second_person(item, returning.KIND)
    more: dict[str, Any] = {**two, "impossible": _no_way_back(item)}
    if request.method == "GET":
        _fresh(form, item)
        return _show(item, "return", form, **more)

    def verb() -> None:
        said: dict[str, Any] = {
            "fee_minor": form.fee_minor, "fee_bearer": form.fee_bearer.data, "comment": form.comment.data,
            "late_reason": form.late_reason.data, "by": actor,
        }  # fmt: skip
        if two["needs_two"]:
            returning.ask_to_send_back(transfer_id, **said)
        else:
            returning.send_back(transfer_id, **said)

    wrong = _attempt(item, form, "return", verb, **more)
    if wrong is not None:
        return wrong
    if two["needs_two"]:
        flash(f"Asked to send {item.money} back. Can decide: {two['who_can']}.", "wait")
    else:
        flash(f"Sent {item.money} back to {item.row.payer}; it is returned when the bank says so.", "ok")
    return go(_onward(item))


@transfers.route("/unrecognized/<uuid:transfer_id>/screening", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def screen_receipt(transfer_id: UUID) -> Any:
    """Record what a search of the payer in a list said; then the return goes on."""
    item, form = desk_queries.item(transfer_id), ScreeningForm()
    if request.method == "GET":
        _fresh(form, item)
        return _show(item, "screening", form)

    def verb() -> None:
        screening.screen(
            transfer_id,
            list_name=form.list_name.data or "",
            list_version=form.list_version.data or "",
            result=ScreeningResult(form.result.data),
            note=form.note.data,
            by=current_actor(),
        )

    wrong = _attempt(item, form, "screening", verb)
    if wrong is not None:
        return wrong
    return go(url_for(".return_receipt", transfer_id=transfer_id) + query_here().here)


@transfers.route("/unrecognized/<uuid:transfer_id>/keep", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def keep_receipt(transfer_id: UUID) -> Any:
    """Leave it until a review date; both clocks run on."""
    item, form = desk_queries.item(transfer_id), KeepForm()
    if request.method == "GET":
        _fresh(form, item)
        calendar = clock.calendar()
        form.until.data = min(calendar.add_days(calendar.today(), 2), calendar.today(item.receipt.resolve_by))
        return _show(item, "keep", form)

    def verb() -> None:
        assert form.until.data is not None  # the form requires it
        keeping.keep(
            transfer_id,
            until=form.until.data,
            reason=form.reason.data or "",
            beyond_reason=form.beyond_reason.data,
            by=current_actor(),
        )

    wrong = _attempt(item, form, "keep", verb)
    return wrong if wrong is not None else go(_onward(item))


@transfers.route("/unrecognized/<uuid:transfer_id>/ask", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def ask_payer(transfer_id: UUID) -> Any:
    """The letter to the payer, ready to be looked through; recorded it is `asked`."""
    item, form = desk_queries.item(transfer_id), AskForm()
    if request.method == "GET":
        _fresh(form, item)
        form.text.data = asking.letter(transfer_id, institution=settings().institution_name)
        return _show(item, "ask", form)
    wrong = _attempt(
        item, form, "ask", lambda: asking.ask_payer(transfer_id, text=form.text.data or "", by=current_actor())
    )  # fmt: skip
    return wrong if wrong is not None else go(_here(transfer_id))


@transfers.route("/unrecognized/<uuid:transfer_id>/note", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def note_receipt(transfer_id: UUID) -> Any:
    """A line for the log."""
    item, form = desk_queries.item(transfer_id), NoteForm()
    if request.method == "GET":
        return _show(item, "note", form)
    wrong = _attempt(
        item, form, "note", lambda: asking.note(transfer_id, text=form.text.data or "", by=current_actor())
    )  # fmt: skip
    return wrong if wrong is not None else go(_here(transfer_id))


@transfers.route("/unrecognized/<uuid:transfer_id>/reply", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def reply_receipt(transfer_id: UUID) -> Any:
    """What the payer answered, and what they sent."""
    item, form = desk_queries.item(transfer_id), ReplyForm()
    if request.method == "GET":
        return _show(item, "reply", form)

    def verb() -> None:
        actor = current_actor()
        if form.text.data:
            asking.reply(transfer_id, text=form.text.data, by=actor)
        if form.file.data:
            sent = form.file.data
            asking.attach(transfer_id, name=sent.filename or "file", content=sent.read(LARGEST_FILE + 1), by=actor)

    wrong = _attempt(item, form, "reply", verb)
    return wrong if wrong is not None else go(_here(transfer_id))


@transfers.route("/unrecognized/<uuid:transfer_id>/undo", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def undo_decision(transfer_id: UUID) -> Any:
    """Take a decision back: the money stands on suspense again, by the same clocks."""
    item, form = desk_queries.item(transfer_id), ReasonForm()
    live = item.live
    party = parties([live.account_id]).get(live.account_id) if live and live.account_id else None
    more: dict[str, Any] = {"party": party, "spent": None, **_second_person(item, undoing.KIND)}
    if request.method == "GET":
        _fresh(form, item)
        return _show(item, "undo", form, **more)
    if request.form.get("ask") or more["needs_two"]:
        wrong = _attempt(
            item, form, "undo",
            lambda: undoing.ask_to_undo(transfer_id, reason=form.reason.data or "", by=current_actor()), **more,
        )  # fmt: skip
        if wrong is None:
            flash("Asked to undo. A second person decides; no money has moved.", "wait")
            return go(_here(transfer_id))
        return wrong
    if not form.validate():
        return _show(item, "undo", form, status=422, **more)
    try:
        with transaction():
            _unchanged(transfer_id, form)
            undoing.undo(transfer_id, reason=form.reason.data or "", by=current_actor())
    except Refused as refusal:
        if refusal.code in {"secondPersonRequired", "spentAlready"}:
            more["spent"] = refusal.message
            return _show(item, "undo", form, status=422, **more)
        return _refused(item, form, "undo", refusal, more)
    except (Invalid, Conflict, NotFound) as refusal:
        return _refused(item, form, "undo", refusal, more)
    flash(f"Undone: {item.money} is on suspense again.", "ok")
    return go(_here(transfer_id))


@transfers.route("/unrecognized/<uuid:transfer_id>/rule", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def ask_for_rule(transfer_id: UUID) -> Any:
    """Ask that this payer's money always goes to this client; a second person decides."""
    item, form = desk_queries.item(transfer_id), ReasonForm()
    live = item.live
    party = parties([live.account_id]).get(live.account_id) if live and live.account_id else None
    if request.method == "GET":
        _fresh(form, item)
        return _show(item, "rule", form, party=party)
    wrong = _attempt(
        item, form, "rule",
        lambda: standing.ask_for_rule(transfer_id, reason=form.reason.data or "", by=current_actor()), party=party,
    )  # fmt: skip
    if wrong is not None:
        return wrong
    flash("Asked for a rule for this payer. It posts nothing before a second person has approved it.", "wait")
    return go(_here(transfer_id))


def _claim_dialog(claim: Claim, form: ReasonForm, status: int = 200) -> Any:
    item = clients.by_ids([claim.client_id]) if claim.client_id else {}
    waiting = desk_queries.open_requests([claim.transfer_id], (undoing.RECEIVABLE,))
    return page_or_fragment(
        "transfers/desk/claim.html",
        "transfers/desk/_claim.html",
        status=status,
        claim=claim,
        client=item.get(claim.client_id) if claim.client_id else None,
        asked=waiting[0] if waiting else None,
        form=form,
        **_who_decides(),
    )


def _who_decides() -> dict[str, Any]:
    actor = current_actor()
    idle = timedelta(minutes=settings().session_idle_minutes)
    people = approvals.deciders_for(actor, undoing.RECEIVABLE, idle=idle)
    return {"who_can": people_in_words(people, actor.id)}


@transfers.route("/unrecognized/claims/<uuid:transfer_id>", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def claim_taken_back(transfer_id: UUID) -> Any:
    """The bank took back what a client has spent: what is there goes back, the rest is claimed, by two people."""
    claim, form = desk_queries.claim(transfer_id), ReasonForm()
    if request.method == "GET":
        return _claim_dialog(claim, form)
    if not form.validate():
        return _claim_dialog(claim, form, 422)
    try:
        with transaction():
            undoing.ask_for_receivable(transfer_id, reason=form.reason.data or "", by=current_actor())
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return _claim_dialog(claim, form, 422)
    flash("Asked to claim it from the client. A second person decides; no money has moved.", "wait")
    return go(url_for(".desk"))


def _in_queue(transfer_id: UUID, verb: Callable[..., Any]) -> AnyResponse:
    item = desk_queries.item(transfer_id)
    if item.row.item_id is None:
        flash(f"{happened(item)} Nothing was changed by you.", "wait")
        return go(_here(transfer_id))
    try:
        with transaction():
            verb(item.row.item_id, by=current_actor())
    except Conflict as refusal:
        name = desk_queries.item(transfer_id).row.assignee
        flash(f"{name} has taken it meanwhile." if refusal.code == "taken" and name else refusal.message, "wait")
    return go(_here(transfer_id))


@transfers.post("/unrecognized/<uuid:transfer_id>/take")
@requires(Permission.TRANSFERS_ASSIGN)
def take_receipt(transfer_id: UUID) -> AnyResponse:
    """Make it one's own."""
    return _in_queue(transfer_id, queues.take)


@transfers.post("/unrecognized/<uuid:transfer_id>/release")
@requires(Permission.TRANSFERS_ASSIGN)
def release_receipt(transfer_id: UUID) -> AnyResponse:
    """Put it back for others."""
    return _in_queue(transfer_id, queues.release)


@transfers.post("/unrecognized/<uuid:transfer_id>/reopen")
@requires(Permission.TRANSFERS_ASSIGN)
def reopen_receipt(transfer_id: UUID) -> AnyResponse:
    """Take up again what was kept, or whose payer was asked."""
    try:
        with transaction():
            keeping.reopen(transfer_id, by=current_actor())
    except (Conflict, Refused) as refusal:
        flash(f"{refusal.message} Nothing was changed by you.", "wait")
    return go(_here(transfer_id))
