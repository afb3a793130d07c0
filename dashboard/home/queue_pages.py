"""Pages of queues: one list each, taking and releasing in the row, and the next that is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import EXPLAINED, ROLES, Permission, Role
from dashboard.approvals import taking
from dashboard.clients.calendar import calendar
from dashboard.database import transaction
from dashboard.errors import Conflict, Forbidden, NotFound
from dashboard.home import handed_over, overview, worklist
from dashboard.home.worklist import Queue
from dashboard.queues import queries, services
from dashboard.queues.models import QueueItem
from dashboard.queues.queries import ItemFilter
from dashboard.staff import queries as staff
from dashboard.staff.sessions import safe_next
from dashboard.views.lists import Listed, choices, downloads, shows
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.htmx import go, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

queues = Blueprint("queues", __name__, url_prefix="/queues")

WHOSE = {"any": "All", "me": "Mine", "none": "Unassigned"}


def _require(actor: Actor, queue: Queue) -> None:
    """A queue belongs to those who may do its work. Raises Forbidden."""
    if not actor.may(queue.permission):
        label = EXPLAINED[queue.permission].label
        raise Forbidden(
            f"Your role ({ROLES[Role(actor.role)].label}) cannot {label[:1].lower()}{label[1:]}.",
            details={"permission": queue.permission.value},
        )
    if not queue.worked_by(actor):
        raise Forbidden(f"{queue.label} are for senior officers.")


def _own_item(item_id: UUID) -> None:
    """Raises NotFound, Forbidden for an item of a queue of others."""
    actor = current_actor()
    if not overview.queues_of(actor):
        raise Forbidden(f"No queue belongs to your role ({ROLES[Role(actor.role)].label}).")
    item = queries.get(item_id, actor=actor)
    if item.queue not in worklist.QUEUES:
        # a request for approval: it is taken where it is decided
        raise NotFound("There is no such item.")
    _require(actor, worklist.QUEUES[item.queue])


def _listed(key: str, queue: Queue) -> Listed:
    return Listed(
        f"queue-{key}", f"Queue: {queue.label}", ("who", "late", "due"),
        choices(who=WHOSE, late={"1": "yes"}, due={"today": "today"}), usual={"who": "any"},
        arguments={"queue": key}, may=queue.worked_by,
    )  # fmt: skip


def _chosen() -> ItemFilter:
    """The filters of the address. Raises NotFound."""
    who = request.args.get("who", "any")
    if who not in WHOSE:
        raise NotFound(f"“{who[:40]}” is none of the choices: any, me or none.")
    return ItemFilter(who=who, late=request.args.get("late") == "1", due_today=request.args.get("due") == "today")


@queues.get("/<queue>")
@shows(*(_listed(key, queue) for key, queue in worklist.QUEUES.items()))
@requires(Permission.OWN_WORK)
def show(queue: str) -> str:
    """One queue by due time; `who` me or none, `late=1`, `due=today` narrow it to the rows behind one figure."""
    if queue not in worklist.QUEUES:
        raise NotFound("There is no such queue.")
    actor = current_actor()
    _require(actor, worklist.QUEUES[queue])
    chosen = _chosen()
    bound = ["queue", queue, chosen.who, chosen.late, chosen.due_today]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = (datetime.fromisoformat(position.key[0]), UUID(position.key[1])) if position else None
    backwards = position is not None and position.backwards
    found = queries.items(
        (queue,),
        actor=actor,
        calendar=calendar(),
        chosen=chosen,
        held=handed_over.held(),
        after=None if backwards else edge,
        before=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda item: [item.due_at.isoformat(), str(item.id)], bound=bound
    )

    def at(**change: Any) -> str:
        """This list with another filter; the page of the cursor is not kept."""
        wanted = {
            "who": chosen.who if chosen.who != "any" else None,
            "late": 1 if chosen.late else None,
            "due": "today" if chosen.due_today else None,
            **change,
        }
        return url_for(".show", queue=queue, **wanted)

    return render_template(
        "queues/show.html",
        queue=queue,
        words=worklist.QUEUES[queue],
        rows=worklist.rows(shown, actor=actor),
        whose=[
            {"label": label, "current": key == chosen.who, "url": at(who=None if key == "any" else key)}
            for key, label in WHOSE.items()
        ],
        when=[
            {"label": "Any time", "current": not chosen.late and not chosen.due_today, "url": at(late=None, due=None)},
            {"label": "Late", "current": chosen.late, "url": at(late=1, due=None)},
            {"label": "Due today", "current": chosen.due_today, "url": at(late=None, due="today")},
        ],
        filtered=chosen != ItemFilter(),
        clear_url=url_for(".show", queue=queue),
        first_url=at(),
        prev_url=at(cursor=before) if before else None,
        next_url=at(cursor=after) if after else None,
        back_url=request.full_path.rstrip("?"),
        export={
            form: url_for(
                ".export",
                queue=queue,
                form=form,
                who=None if chosen.who == "any" else chosen.who,
                late=1 if chosen.late else None,
                due="today" if chosen.due_today else None,
            )
            for form in ("csv", "xlsx")
        },
    )


def _row(item: QueueItem, *, announce: str, note: str | None = None, status: int = 200) -> AnyResponse:
    """The row as it is now: in place, or the whole list again where there are no scripts."""
    back = safe_next(request.form.get("back") or url_for(".show", queue=item.queue))
    if not wants_fragment():
        flash(announce, "wait" if note else "ok")
        return go(back)
    row = worklist.rows([item], actor=current_actor(), note=note)[0]
    return make_response(render_template("queues/_row.html", row=row, announce=announce, back_url=back), status)


def _told(item_id: UUID, refusal: Conflict) -> AnyResponse:
    """Somebody was faster: the row says who has it now."""
    item = queries.get(item_id, actor=current_actor())
    name = staff.names([item.assignee_id]).get(item.assignee_id) if item.assignee_id else None
    words = f"{name} has taken this meanwhile." if refusal.code == "taken" and name else refusal.message
    return _row(item, announce=words, note=words, status=422)


@queues.post("/items/<uuid:item_id>/take")
@requires(Permission.OWN_WORK)
def take(item_id: UUID) -> AnyResponse:
    """Make an item one's own."""
    _own_item(item_id)
    try:
        with transaction():
            item = services.take(item_id, by=current_actor())
    except Conflict as refusal:
        return _told(item_id, refusal)
    return _row(item, announce="Taken. It is yours.")


@queues.post("/items/<uuid:item_id>/release")
@requires(Permission.OWN_WORK)
def release(item_id: UUID) -> AnyResponse:
    """Put an item back."""
    _own_item(item_id)
    try:
        with transaction():
            item = services.release(item_id, by=current_actor())
    except Conflict as refusal:
        return _told(item_id, refusal)
    return _row(item, announce="Put back into the queue.")


@queues.post("/next")
@requires(Permission.OWN_WORK)
def take_next() -> AnyResponse:
    """Open what is due first: a request that I may decide, or an item, my own or unassigned. It is mine then."""
    actor = current_actor()
    if not overview.queues_of(actor):
        raise Forbidden(f"No queue belongs to your role ({ROLES[Role(actor.role)].label}).")
    if overview.next_request(actor) is not None:
        with transaction():
            asked = taking.take_next(by=actor)
        if asked is not None:
            return go(url_for("approvals.show", request_id=asked.id))
    with transaction():
        item = services.take_next(overview.queues_of(actor), by=actor, held=handed_over.held())
    if item is None:
        flash("Nothing waits for you, and nothing waits unassigned.", "info")
        return go(url_for("home.show"))
    return go(worklist.url_of(item))


# --- the list as a file -----------------------------------------------------------------------------------------

COLUMNS = (
    Column("due", "Due", Kind.MOMENT),
    Column("about", "About", share=2),
    Column("detail", "More", share=2),
    Column("why", "Why", share=2),
    Column("opened", "Opened", Kind.MOMENT),
    Column("assignee", "Assignee"),
)
#: items that an export reads at once: what each is about is asked for all of them together
PART = 200


@queues.get("/<queue>/export/<form>")
@downloads(*(f"queue-{key}" for key in worklist.QUEUES))
@requires(Permission.OWN_WORK)
def export(queue: str, form: str) -> Response:
    """Exactly what a queue and its filters show to this person, all pages of it, as `csv` or `xlsx`."""
    chosen_format = Format.of_a_list(form)
    if queue not in worklist.QUEUES:
        raise NotFound("There is no such queue.")
    actor, words = current_actor(), worklist.QUEUES[queue]
    _require(actor, words)
    chosen = _chosen()
    filters = [("Whose", WHOSE[chosen.who])] if chosen.who != "any" else []
    filters += [("Due", "late")] if chosen.late else []
    filters += [("Due", "today")] if chosen.due_today else []

    def after(last: QueueItem | None) -> list[QueueItem]:
        return queries.items(
            (queue,), actor=actor, calendar=calendar(), chosen=chosen, held=handed_over.held(), limit=PART,
            after=(last.due_at, last.id) if last else None,
        )  # fmt: skip

    def listed() -> Iterator[Row]:
        for part in parts(after):
            for row in worklist.rows(part, actor=actor):
                yield {
                    "due": row.due_at,
                    "about": row.about,
                    "detail": row.detail,
                    "why": row.why,
                    "opened": row.opened_at,
                    "assignee": (actor.name if row.mine else row.assignee) or "nobody",
                }

    about = exports.about(words.label, filters=filters, by=actor.name)
    return exports.answer(Listing(about, COLUMNS), listed, chosen_format)
