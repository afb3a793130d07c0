"""What differs between us and Sumsub, the runs that found it, and letting a difference stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background import services as work
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.onboarding.pulling import queries, words
from dashboard.onboarding.pulling.forms import FIELDS, LABELS, STATES, AcceptForm, DifferenceQuery
from dashboard.onboarding.pulling.pages.blueprint import pulling
from dashboard.onboarding.pulling.queries import DifferenceView, RunView
from dashboard.onboarding.pulling.services import comparing
from dashboard.onboarding.pulling.services import differences as services
from dashboard.onboarding.pulling.vocabulary import CLOSING_LABELS, COMPARE, FIELD_LABELS, Closing, Field
from dashboard.onboarding.sumsub import links
from dashboard.onboarding.sumsub.port import connecting
from dashboard.staff import queries as staff
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

#: role of the badge and word of a difference's state
BADGES = {"open": ("wait", "Open"), "accepted": ("neutral", "Let stand"), "resolved": ("ok", "Resolved")}
RUN_BADGES = {"running": ("info", "Running"), "failed": ("stop", "Failed"), "canceled": ("neutral", "Canceled")}


def shown(view: DifferenceView) -> dict[str, Any]:
    """A difference as its table shows it to this reader."""
    row, sees = view.row, current_actor().sees_restricted
    return {
        "row": row,
        "client": view.client_name or None,
        "field": FIELD_LABELS[Field(row.field)],
        "ours": words.side(row.field, row.ours, sees_restricted=sees),
        "theirs": words.side(row.field, row.theirs, sees_restricted=sees),
        "badge": BADGES[row.state],
        "closing": CLOSING_LABELS[Closing(row.closing)] if row.closing else None,
        "link": links.applicant(row.applicant_id),
    }


def progress() -> dict[str, Any]:
    """What is going on now: the newest comparison while it waits or runs, or when it came to nothing."""
    actor, job = current_actor(), background.latest(COMPARE)
    mine = job is not None and actor.id is not None and job.asked_by_id == actor.id
    return {
        "job": job if job is not None and job.state != "succeeded" else None,
        "running": job is not None and job.state in background.UNFINISHED,
        "job_by": "" if job is None else "you" if mine else named(job.asked_by_kind, job.asked_by_name),
        "may_compare": actor.may(Permission.EVENTS_REPLAY),
        "is_on": connecting.connection().is_on,
        "off": connecting.OFF,
    }


@pulling.get("/differences")
@listed(
    "differences", "Differences", reads=lambda values, _actor: DifferenceQuery.read(values),
    keeps=("state", "field", "run"), leaves=("client",), usual={"state": "open"},
)  # fmt: skip
@requires(Permission.EVENTS_READ)
def differences() -> Response:
    """Differences, newest first, with filters; what is open stands first."""
    asked = DifferenceQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.differences(
        asked.chosen,
        before=None if backwards else edge,
        after=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    rows, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda view: [str(view.row.id)], bound=asked.bound
    )
    return _answer(
        asked,
        rows=[shown(view) for view in rows],
        people=staff.names(view.row.accepted_by for view in rows if view.row.accepted_by),
        earlier=url_for(".differences") + asked.query(cursor=earlier) if earlier else None,
        later=url_for(".differences") + asked.query(cursor=later) if later else None,
    )


def _answer(asked: DifferenceQuery, *, status: int = 200, **context: Any) -> Response:
    base = url_for(".differences")
    states = [
        {"label": label, "url": base + asked.query(state=None if key == "open" else key), "current": asked.state == key}
        for key, label in STATES.items()
    ]
    return page_or_fragment(
        "pulling/differences.html",
        "pulling/_differences.html",
        status=status,
        asked=asked,
        states=states,
        fields=FIELDS,
        base=base,
        may_settle=current_actor().may(Permission.CLIENTS_REVIEW),
        last=queries.last_finished(),
        **{"rows": [], "people": {}, **context},
        **progress(),
    )


COLUMNS = (
    Column("since", "Since", Kind.MOMENT),
    Column("client", "Client", share=1.4),
    Column("what", "What"),
    Column("here", "Here"),
    Column("there", "At Sumsub"),
    Column("state", "State", share=0.6),
    Column("how", "How it ended", share=1.4),
    Column("ended", "Ended", Kind.MOMENT),
    Column("by", "Let stand by"),
    Column("reason", "Why", share=2),
    Column("applicant", "Applicant id", share=1.2),
    Column("client_id", "Client id", share=1.4),
)
RUNS = (
    Column("started", "Started", Kind.MOMENT),
    Column("by", "By"),
    Column("applicants", "Applicants", Kind.NUMBER),
    Column("applied", "Caught up", Kind.NUMBER),
    Column("differing", "Differ", Kind.NUMBER),
    Column("unanswered", "No answer", Kind.NUMBER),
    Column("resolved", "Resolved", Kind.NUMBER),
    Column("finished", "Finished", Kind.MOMENT),
    Column("result", "Result"),
    Column("failure", "Failure", share=2),
    Column("id", "Comparison", share=1.4),
)
#: differences or runs that an export reads at once
PART = 500


def result_of(view: RunView) -> tuple[str, str]:
    """Colour role and word of what a comparison came to."""
    if view.state != "finished":
        return RUN_BADGES[view.state]
    if view.run.differing:
        return "wait", "Differences"
    return ("unknown", "Incomplete") if view.run.unanswered else ("ok", "Agrees")


@pulling.get("/differences/export/<form>")
@downloads("differences")
@requires(Permission.EVENTS_READ)
def export_differences(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    chosen_format, asked = Format.of_a_list(form), DifferenceQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)

    def older(last: DifferenceView | None) -> list[DifferenceView]:
        return queries.differences(asked.chosen, before=last.row.id if last else None, limit=PART)

    sees = current_actor().sees_restricted

    def rows() -> Iterator[Row]:
        for part in parts(older):
            people = staff.names(view.row.accepted_by for view in part if view.row.accepted_by)
            for view in part:
                row = view.row
                yield {
                    "since": row.found_at,
                    "client": (view.client_name or "Without a name") if row.client_id else "No client here",
                    "what": FIELD_LABELS[Field(row.field)],
                    "here": words.side(row.field, row.ours, sees_restricted=sees),
                    "there": words.side(row.field, row.theirs, sees_restricted=sees),
                    "state": BADGES[row.state][1],
                    "how": CLOSING_LABELS[Closing(row.closing)] if row.closing else None,
                    "ended": row.closed_at or row.accepted_at,
                    "by": people.get(row.accepted_by, "a colleague") if row.accepted_by else None,
                    "reason": row.reason,
                    "applicant": row.applicant_id,
                    "client_id": row.client_id,
                }

    filters = [("State", STATES[asked.state]), *(pair for pair in asked.in_words() if pair[0] != LABELS["state"])]
    about = exports.about("Differences with Sumsub", filters=filters, by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)


@pulling.get("/differences/runs/export/<form>")
@downloads()
@requires(Permission.EVENTS_READ)
def export_comparisons(form: str) -> Response:
    """All comparisons, newest first."""
    chosen_format = Format.of_a_list(form)

    def older(last: RunView | None) -> list[RunView]:
        return queries.runs(before=last.run.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            for view in part:
                run = view.run
                yield {
                    "started": run.started_at,
                    "by": named(run.by_kind, run.by_name),
                    "applicants": run.applicants,
                    "applied": run.applied,
                    "differing": run.differing,
                    "unanswered": run.unanswered,
                    "resolved": run.resolved,
                    "finished": run.finished_at,
                    "result": result_of(view)[1],
                    "failure": view.failure,
                    "id": run.id,
                }

    about = exports.about("Comparisons with Sumsub", by=current_actor().name)
    return exports.answer(Listing(about, RUNS), rows, chosen_format)


@pulling.get("/differences/progress")
@requires(Permission.EVENTS_READ)
def differences_progress() -> Response:
    """The running comparison, for its bar; when it has ended the whole page is loaded again."""
    context = progress()
    answer = page_or_fragment("pulling/differences_progress.html", "pulling/_differences_progress.html", **context)
    if not context["running"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@pulling.get("/differences/runs")
@requires(Permission.EVENTS_READ)
def comparisons() -> Response:
    """Runs of the comparison, newest first."""
    bound = ["comparisons"]
    context: dict[str, Any] = {"runs": [], "cursor_problem": False}
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        context["cursor_problem"] = True
    else:
        edge = UUID(position.key[0]) if position else None
        backwards = position is not None and position.backwards
        found = queries.runs(
            before=None if backwards else edge, after=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
        )

        def key(view: RunView) -> list[Any]:
            return [str(view.run.id)]

        runs, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)
        context |= {
            "runs": runs,
            "earlier": url_for(".comparisons", cursor=earlier) if earlier else None,
            "later": url_for(".comparisons", cursor=later) if later else None,
        }
    return page_or_fragment(
        "pulling/comparisons.html",
        "pulling/_comparisons.html",
        status=400 if context["cursor_problem"] else 200,
        result_of=result_of,
        paged=bool(request.args.get("cursor")),
        reader=current_actor().id,
        named=named,
        **context,
        **progress(),
    )


@pulling.post("/differences/runs")
@requires(Permission.EVENTS_REPLAY)
def compare_now() -> Any:
    """Ask for a comparison of everything."""
    try:
        with transaction():
            comparing.ask_to_compare(by=current_actor())
    except Refused as refusal:
        flash(refusal.message, "stop")
    return go(url_for(".differences"))


@pulling.post("/differences/runs/<uuid:job_id>/cancel")
@requires(Permission.EVENTS_REPLAY)
def cancel_comparison(job_id: UUID) -> Any:
    """Stop a comparison; what it found so far stays."""
    try:
        with transaction():
            work.cancel(job_id, kind=COMPARE, by=current_actor())
    except Conflict:
        flash("This comparison had ended already.", "info")
    return go(url_for(".differences"))


@pulling.route("/differences/<uuid:difference_id>/accept", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def accept_difference(difference_id: UUID) -> Any:
    """The dialog that lets a difference stand, and doing so."""
    form, status = AcceptForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    services.accept(difference_id, reason=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("The difference stands. It comes back when Sumsub says something else.", "ok")
                return go(url_for(".differences"))
    return page_or_fragment(
        "pulling/difference_dialog.html",
        "pulling/_difference_accept.html",
        status=status,
        one=shown(queries.difference(difference_id)),
        form=form,
        answered=status,
    )
