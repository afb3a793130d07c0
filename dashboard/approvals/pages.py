"""Pages of approvals: what waits for me, what I asked, one request, and the ways to close it, alone or many at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, flash, make_response, render_template, request, url_for
from flask import session as cookie
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import deadline, queries, rulebook, services, taking
from dashboard.approvals.forms import BulkForm, ConfirmForm, RejectForm
from dashboard.approvals.kinds import hidden_from, kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.queries import Place
from dashboard.approvals.rows import RequestRow, details_of, rows
from dashboard.clock import BusinessCalendar
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Forbidden, Refused
from dashboard.settings import Settings
from dashboard.staff import queries as staff
from dashboard.staff.sessions import safe_next
from dashboard.staff.step_up import needs_step_up
from dashboard.views.lists import choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.failures import WAITED_TOO_LONG
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

approvals = Blueprint("approvals", __name__, url_prefix="/approvals")

#: of a part of a name, in characters
LONGEST_FILTER = 100
#: requests that are decided at once, at most
MOST_AT_ONCE = 50
BULK_RESULTS = "bulk_results"
#: what became of one of many: colour role and words
RESULTS = {
    "approved": ("ok", "Approved"),
    "rejected": ("ok", "Rejected"),
    "stale": ("unknown", "Stale: it changed after the request"),
    "expired": ("neutral", "Expired"),
    "closed": ("neutral", "Closed by somebody else meanwhile"),
    "notYours": ("stop", "Not yours to decide"),
    "oneAtATime": ("wait", "Is decided one at a time"),
    "refused": ("stop", "Refused by a rule; nothing was changed"),
    "busy": ("wait", "Somebody works on it at this moment; try it again"),
}

#: of what waits for a person: who has taken it
WHOSE = {"any": "All", "me": "Mine", "none": "Not taken"}
VIEWS = {"me": "For me", "mine": "Asked by me", "open": "All open", "closed": "Closed"}


def _settings() -> Settings:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings


def _calendar() -> BusinessCalendar:
    return BusinessCalendar(_settings().institution_country, _settings().zone)


def _rows(requests: list[ApprovalRequest]) -> list[RequestRow]:
    idle = timedelta(minutes=_settings().session_idle_minutes)
    return rows(requests, actor=current_actor(), idle=idle)


def _narrowed() -> queries.Narrowed:
    """The filters of the address; what is not known narrows nothing."""
    kind, age = request.args.get("kind", ""), request.args.get("age", "")
    return queries.Narrowed(
        kind=kind if kind in dict(rulebook.choices(current_actor())) else "",
        maker=request.args.get("maker", "").replace("\x00", "").strip()[:LONGEST_FILTER],
        age=age if age in queries.AGES else "",
    )


@approvals.get("")
@listed(
    "approvals", "Approvals", keeps=("view", "due", "who", "kind", "age"), leaves=("maker",),
    usual={"view": "me", "who": "any"},
    reads=choices(
        view=VIEWS, due={"today": "Today"}, who=WHOSE, kind=lambda actor: dict(rulebook.choices(actor)),
        age=queries.AGES,
    ),
)  # fmt: skip
@requires(Permission.APPROVALS_READ)
def index() -> str:
    """Requests: `view` me, mine, open or closed; `due=today` narrows what waits for me."""
    actor = current_actor()
    decides = queries.may_decide_anything(actor)
    views = VIEWS if decides else {key: VIEWS[key] for key in ("open", "closed")}
    view = request.args.get("view", "")
    if view not in views:
        view = next(iter(views))
    due_today = view == "me" and request.args.get("due") == "today"
    who = request.args.get("who", "any") if view == "me" else "any"
    if who not in WHOSE:
        who = "any"
    narrowed = _narrowed()
    bound = ["approvals", view, due_today, who, narrowed.kind, narrowed.maker, narrowed.age]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge: Place | None = None
    if position is not None:
        edge = datetime.fromisoformat(position.key[0]), UUID(position.key[1])
    backwards = position is not None and position.backwards
    found = queries.page(
        actor=actor,
        view=view,
        calendar=_calendar(),
        due_today=due_today,
        who=who,
        narrowed=narrowed,
        after=None if backwards else edge,
        before=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda r: [r.expires_at.isoformat(), str(r.id)], bound=bound
    )
    filters: dict[str, Any] = {name: value for name, value in vars(narrowed).items() if value}
    here = {"view": view, "due": "today" if due_today else None, "who": None if who == "any" else who, **filters}

    def at(cursor: str | None) -> str | None:
        return url_for(".index", **here, cursor=cursor) if cursor else None

    def link(label: str, current: bool, **change: Any) -> dict[str, Any]:
        """This list with another filter; the page of the cursor is not kept."""
        return {"label": label, "current": current, "url": url_for(".index", **{**here, **change})}

    listed, at_first = _rows(shown), url_for(".index", **here)

    return render_template(
        "approvals/index.html",
        view=view,
        views=[
            {"key": key, "label": label, "url": url_for(".index", view=key, **filters)} for key, label in views.items()
        ],
        due_today=due_today,
        first_url=at_first,
        who=who,
        whose=[link(label, key == who, who=None if key == "any" else key) for key, label in WHOSE.items()],
        when=[link("Any time", not due_today, due=None), link("Due today", due_today, due="today")],
        rows=listed,
        bulk=any(row.bulk_safe and row.is_open and not row.why_not for row in listed) and view in {"me", "open"},
        narrowed=narrowed,
        kinds=rulebook.choices(actor),
        ages=list(queries.AGES.items()),
        here=request.full_path.rstrip("?"),
        decides=decides,
        role_label=ROLES[Role(actor.role)].label,
        waiting=queries.waiting_for(actor) if decides else 0,
        prev_url=at(before),
        next_url=at(after),
    )


@approvals.get("/<uuid:request_id>")
@requires(Permission.APPROVALS_READ)
def show(request_id: UUID) -> str:
    """One request: what would change, who asked, who may decide, what became of it."""
    return render_template("approvals/show.html", row=_rows([queries.get(request_id, actor=current_actor())])[0])


def _destination(asked: ApprovalRequest, wanted: str | None) -> str:
    """Where the person came from, else the client that it is about, or what an approved request made."""
    if wanted:
        return safe_next(wanted)
    detail = details_of([asked], current_actor()).get(asked.id)
    if detail is not None and detail.links and asked.state == "approved":
        return detail.links[0].url
    if asked.client_id is not None and current_actor().may(Permission.CLIENTS_READ):
        return f"/clients/{asked.client_id}"
    return url_for(".index")


def _dialog(act: str, asked: ApprovalRequest, form: ConfirmForm, status: int = 200) -> Any:
    return page_or_fragment(
        "approvals/decide.html",
        f"approvals/_{act}.html",
        status=status,
        act=act,
        row=_rows([asked])[0],
        form=form,
        close_url=_destination(asked, form.next.data),
    )


def _not_yours(asked: ApprovalRequest, refusal: str) -> Any:
    """No administrator can help here: say who can, and what this reader can do instead."""
    return page_or_fragment(
        "approvals/refused.html", "approvals/_refused.html", status=403, row=_rows([asked])[0], refusal=refusal
    )


def _in_zone(moment: datetime) -> str:
    shown: str = current_app.jinja_env.filters["moment_short"](moment)
    return shown


def _tell(closed: ApprovalRequest) -> None:
    kind = kind_of(closed.kind)
    about = kind.about(closed.subject)
    told = kind.closed(closed) if kind.closed is not None else None
    if told:
        flash(told, "wait" if closed.state in {"expired", "stale"} else "ok")
    elif closed.state == "approved":
        flash(f"{kind.done} {closed.subject}.", "ok")
    elif closed.state == "rejected":
        flash(f"Rejected: {about}.", "ok")
    elif closed.state == "withdrawn":
        flash(f"Withdrawn: {about}.", "ok")
    elif closed.state == "expired":
        flash(f"This request expired on {_in_zone(closed.expires_at)}. Nothing was changed. Ask again.", "wait")
    else:
        flash(f"{_why_stale(closed)} Nothing was changed by you. Ask again.", "wait")


def _why_stale(closed: ApprovalRequest) -> str:
    """What made a request stale, and who, as far as that is known."""
    change = queries.changed_since(closed, actor=current_actor())
    kind = kind_of(closed.kind)
    told = kind.closed(closed) if kind.closed is not None else None
    if told and change and closed.client_id is None:
        return f"{told} {change.who} {change.did} on {_in_zone(change.at)}."
    if told:
        return told
    if change:
        return f"This request has gone stale: {change.who} {change.did} on {_in_zone(change.at)}."
    what = "the client" if closed.client_id is not None else "what it was about"
    return f"This request has gone stale: {what} changed meanwhile."


def _close(act: str, request_id: UUID, form: ConfirmForm) -> Any:
    """Show the dialog, or do what it confirms. Outcomes expired and stale are committed and told."""
    actor = current_actor()
    asked = queries.get(request_id, actor=actor)
    if request.method == "GET":
        form.next.data = request.args.get("next", "")
        if asked.state != "requested":
            return go(url_for(".show", request_id=request_id))
        refusal = services.why_not(asked, actor)
        if act == "withdraw":
            asker = actor.id in {asked.maker_id, asked.maker_owner_id}
            refusal = None if asker else "Only the person who asked can withdraw it."
        if refusal:
            return _not_yours(asked, refusal)
        return _dialog(act, asked, form)
    if not form.validate():
        return _dialog(act, asked, form, 422)
    try:
        with transaction():
            if act == "withdraw":
                closed = services.withdraw(request_id, by=actor)
            else:
                reason = form.reason.data if isinstance(form, RejectForm) else None
                closed = services.decide(request_id, approve=act == "approve", reason=reason, by=actor)
    except Forbidden as refusal:
        with transaction():
            services.tell_refusal(queries.get(request_id, actor=actor), act=act, why=refusal.message, by=actor)
        return _not_yours(asked, refusal.message)
    except DomainError as refusal:
        if isinstance(refusal, Conflict) and refusal.code == "alreadyDecided":
            flash(f"{refusal.message} Nothing was changed by you.", "wait")
            return go(_destination(asked, form.next.data))
        show_errors(form, refusal)
        return _dialog(act, asked, form, 422)
    _tell(closed)
    return go(_destination(closed, form.next.data))


@approvals.route("/<uuid:request_id>/approve", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
@needs_step_up
def approve(request_id: UUID) -> AnyResponse | Any:
    """Read back what will happen, then do it."""
    return _close("approve", request_id, ConfirmForm())


@approvals.route("/<uuid:request_id>/reject", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
def reject(request_id: UUID) -> AnyResponse | Any:
    """Say why not."""
    return _close("reject", request_id, RejectForm())


@approvals.route("/<uuid:request_id>/withdraw", methods=["GET", "POST"])
@requires(Permission.APPROVALS_READ)
def withdraw(request_id: UUID) -> AnyResponse | Any:
    """The person who asked takes it back."""
    return _close("withdraw", request_id, ConfirmForm())


def _back(otherwise: str) -> AnyResponse:
    wanted = request.form.get("next")
    return go(safe_next(wanted) if wanted else otherwise)


@approvals.post("/<uuid:request_id>/take")
@requires(Permission.APPROVALS_READ)
def take(request_id: UUID) -> AnyResponse:
    """Make a request one's own, so that no colleague reads it at the same time."""
    actor = current_actor()
    here = url_for(".show", request_id=request_id)
    queries.get(request_id, actor=actor)
    try:
        with transaction():
            taking.take(request_id, by=actor)
    except Conflict as refusal:
        holder = taking.holders([request_id]).get(request_id)
        name = staff.names([holder]).get(holder) if holder else None
        flash(f"{name} has taken this request meanwhile." if name else refusal.message, "wait")
        return _back(here)
    flash("Taken. It is yours.", "ok")
    return _back(here)


@approvals.post("/<uuid:request_id>/release")
@requires(Permission.APPROVALS_READ)
def release(request_id: UUID) -> AnyResponse:
    """Give a request back."""
    actor = current_actor()
    queries.get(request_id, actor=actor)
    try:
        with transaction():
            taking.release(request_id, by=actor)
    except Conflict as refusal:
        flash(refusal.message, "wait")
    else:
        flash("Put back. Any colleague who may decide can take it.", "ok")
    return _back(url_for(".show", request_id=request_id))


@approvals.post("/next")
@requires(Permission.APPROVALS_READ)
def take_next() -> AnyResponse:
    """Open the request that expires first among one's own and those that nobody has taken; it is one's own then."""
    actor = current_actor()
    with transaction():
        taken = taking.take_next(by=actor)
    if taken is None:
        flash("Nothing waits for your decision but what colleagues have taken.", "info")
        return go(url_for(".index"))
    return go(url_for(".show", request_id=taken.id))


def _chosen(values: list[str]) -> list[UUID]:
    """The requests that were ticked, each once, in their order; what is no identifier is left out."""
    found: dict[UUID, None] = {}
    for value in values:
        try:
            found[UUID(value)] = None
        except ValueError:
            continue
    return list(found)[:MOST_AT_ONCE]


def _known(ids: list[UUID]) -> list[ApprovalRequest]:
    found = queries.by_ids(ids)
    hidden = hidden_from(current_actor())
    return [found[one] for one in ids if one in found and found[one].kind not in hidden]


def _bulk_page(act: str, ids: list[UUID], form: BulkForm, status: int = 200) -> Response:
    listed = _rows(_known(ids))
    return make_response(
        render_template(
            "approvals/bulk.html",
            act=act,
            rows=[row for row in listed if row.is_open and row.bulk_safe and not row.why_not],
            left=[row for row in listed if not (row.is_open and row.bulk_safe and not row.why_not)],
            form=form,
        ),
        status,
    )


@approvals.get("/bulk")
@requires(Permission.APPROVALS_READ)
@needs_step_up
def bulk() -> Response | Any:
    """Read back what would be decided at once: `id`, many; `act`: approve or reject."""
    act, ids = request.args.get("act", ""), _chosen(request.args.getlist("id"))
    if act not in {"approve", "reject"} or not ids:
        flash("Tick the requests first.", "info")
        return go(url_for(".index"))
    return _bulk_page(act, ids, BulkForm(formdata=None))


def _decide_one(request_id: UUID, *, approve: bool, reason: str | None) -> str:
    """One of many, in a transaction of its own: what stops it stops no other. Gives a key of `RESULTS`."""
    actor = current_actor()
    try:
        with transaction():
            return services.decide(request_id, approve=approve, reason=reason, by=actor, in_bulk=True).state
    except Forbidden as refusal:
        with transaction():
            asked = queries.get(request_id, actor=actor)
            services.tell_refusal(asked, act="approve" if approve else "reject", why=refusal.message, by=actor)
        return "notYours"
    except Refused as refusal:
        return "oneAtATime" if refusal.code == "oneAtATime" else "refused"
    except Conflict as refusal:
        return "closed" if refusal.code == "alreadyDecided" else "refused"
    except DomainError:
        return "refused"
    except sa.exc.IntegrityError:
        # a rule of the database alone: what it guards is as it was
        return "refused"
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in WAITED_TOO_LONG:
            raise
        return "busy"


@approvals.post("/bulk")
@requires(Permission.APPROVALS_READ)
@needs_step_up
def decide_bulk() -> Response | Any:
    """Decide what was ticked, one by one; what became of each is told afterwards."""
    act, ids = request.form.get("act", ""), _chosen(request.form.getlist("id"))
    if act not in {"approve", "reject"} or not ids:
        flash("Tick the requests first.", "info")
        return go(url_for(".index"))
    form = BulkForm()
    whole = form.validate()
    if act == "reject" and not (form.reason.data or "").strip():
        form.reason.errors = [*form.reason.errors, "Say why: everybody who asked reads it."]
        whole = False
    if not whole:
        return _bulk_page(act, ids, form, 422)
    known = {one.id for one in _known(ids)}
    results: list[list[str]] = []
    for one in ids:
        if one in known:
            results.append([str(one), _decide_one(one, approve=act == "approve", reason=form.reason.data)])
            # kept after each: what was decided is told even where a later one ends all of it
            cookie[BULK_RESULTS] = list(results)
    return go(url_for(".bulk_results"))


@approvals.get("/bulk/results")
@requires(Permission.APPROVALS_READ)
def bulk_results() -> str | Any:
    """What became of each request that this person decided at once last."""
    told = {UUID(one): result for one, result in cookie.get(BULK_RESULTS, [])}
    known = _known(list(told))
    listed = _rows(known)
    if not listed:
        return go(url_for(".index"))
    stale = {one.id: _why_stale(one) for one in known if told[one.id] == "stale" and one.state == "stale"}
    return render_template(
        "approvals/bulk_results.html",
        rows=[(row, *RESULTS[told[row.id]], stale.get(row.id, "")) for row in listed],
        done=sum(told[row.id] in {"approved", "rejected"} for row in listed),
    )


@approvals.get("/rules")
@requires(Permission.APPROVALS_READ)
def rules() -> str:
    """Every kind of approval: from which amount, who asks and decides, until when; and the amounts, as data."""
    actor = current_actor()
    return render_template(
        "approvals/rules.html",
        kinds=rulebook.kinds(),
        hours=deadline.business_hours(),
        sections=[section(request.args) for section in rulebook.sections()],
        changes=rulebook.changes(),
        may_ask=actor.may(Permission.RULES_TIGHTEN),
        only_stricter=not actor.may(Permission.RULES_CHANGE),
        may_change=actor.may(Permission.RULES_CHANGE),
    )


# --- the list as a file -----------------------------------------------------------------------------------------

COLUMNS = (
    Column("what", "What", share=2),
    Column("change", "Before and after", share=2),
    Column("by", "Asked by"),
    Column("asked", "Asked", Kind.MOMENT),
    Column("who", "Who can decide", share=1.5),
    Column("expires", "Expires", Kind.MOMENT),
    Column("state", "State"),
    Column("decider", "Closed by"),
    Column("closed", "Closed", Kind.MOMENT),
    Column("id", "Request", share=1.4),
)
#: requests that an export reads at once: what each is about is asked for all of them together
PART = 200


@approvals.get("/export/<form>")
@downloads("approvals")
@requires(Permission.APPROVALS_READ)
def export(form: str) -> Response:
    """Exactly what a view and its filters show to this person, all pages of it, as `csv` or `xlsx`."""
    chosen_format = Format.of_a_list(form)
    actor, calendar, narrowed = current_actor(), _calendar(), _narrowed()
    decides = queries.may_decide_anything(actor)
    view = request.args.get("view", "")
    if view not in VIEWS or (not decides and view in {"me", "mine"}):
        view = "me" if decides else "open"
    due_today = view == "me" and request.args.get("due") == "today"
    who = request.args.get("who", "any") if view == "me" else "any"
    if who not in WHOSE:
        who = "any"
    filters = [("View", VIEWS[view])]
    filters += [("Due", "today")] if due_today else []
    filters += [("Taken by", WHOSE[who])] if who != "any" else []
    filters += [("Kind", dict(rulebook.choices(actor))[narrowed.kind])] if narrowed.kind else []
    filters += [("Asked by", narrowed.maker)] if narrowed.maker else []
    filters += [("Age", queries.AGES[narrowed.age])] if narrowed.age else []

    def after(last: ApprovalRequest | None) -> list[ApprovalRequest]:
        return queries.page(
            actor=actor, view=view, calendar=calendar, due_today=due_today, who=who, narrowed=narrowed, limit=PART,
            after=(last.expires_at, last.id) if last else None,
        )  # fmt: skip

    def listed() -> Iterator[Row]:
        for part in parts(after):
            for row in _rows(list(part)):
                yield {
                    "what": row.what,
                    "change": "; ".join(
                        f"{turn.label or 'Status'}: {turn.before} → {turn.after}" for turn in row.turns
                    ),
                    "by": actor.name if row.asked_by_me else row.asked_by,
                    "asked": row.requested_at,
                    "who": row.who_can,
                    "expires": row.expires_at,
                    "state": row.state_word,
                    "decider": actor.name if row.decider_name == "you" else row.decider_name,
                    "closed": row.closed_at,
                    "id": row.id,
                }

    about = exports.about("Approvals", filters=filters, by=actor.name)
    return exports.answer(Listing(about, COLUMNS), listed, chosen_format)
