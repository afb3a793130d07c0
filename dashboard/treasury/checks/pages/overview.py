"""The last run with its trend, the history of runs, a run under way, and starting one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.treasury.alerts import queries as alerts
from dashboard.treasury.checks import queries
from dashboard.treasury.checks.check import OUTCOME_LABELS, Outcome
from dashboard.treasury.checks.models import DailyCheckResult, DailyCheckRun
from dashboard.treasury.checks.pages.blueprint import checks
from dashboard.treasury.checks.queries import FindingFilter, RunView
from dashboard.treasury.checks.services import asking
from dashboard.treasury.checks.table import CHECKS, TITLES
from dashboard.treasury.checks.vocabulary import RUN
from dashboard.views.lists import Choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

#: business days of the trend
TREND_DAYS = 10
#: alerts above the table; more have a list of their own
MOST_ALERTS = 10
#: findings of a check that stand on a run's page; more have a list of their own
MOST_SHOWN = 20

BADGES = {
    Outcome.PASSED: ("ok", OUTCOME_LABELS[Outcome.PASSED]),
    Outcome.FAILED: ("stop", OUTCOME_LABELS[Outcome.FAILED]),
    Outcome.NOT_RUN: ("unknown", OUTCOME_LABELS[Outcome.NOT_RUN]),
}
RUN_BADGES = {"running": ("info", "Running"), "failed": ("stop", "Failed"), "canceled": ("neutral", "Canceled")}


def rows(results: dict[str, DailyCheckResult]) -> list[dict[str, Any]]:
    """Every check with how it ended; None where it was not reached."""
    found = []
    for check in CHECKS:
        result = results.get(check.key)
        found.append({"check": check, "result": result, "badge": BADGES[Outcome(result.outcome)] if result else None})
    return found


def progress() -> dict[str, Any]:
    """What goes on now: the newest run while it waits or runs, or when it came to nothing."""
    actor, job = current_actor(), background.latest(RUN)
    running = job is not None and job.state in background.UNFINISHED
    return {
        "job": job if job is not None and job.state != "succeeded" else None,
        "running": running,
        "now": CHECKS[min(job.done, len(CHECKS) - 1)].title if job is not None and running else "",
        "job_by": "" if job is None else who(job.asked_by_kind, job.asked_by_id, job.asked_by_name),
        "may_run": actor.may(Permission.LEDGER_OPERATE),
    }


def who(kind: str, actor_id: UUID | None, name: str) -> str:
    """A name as this reader reads it."""
    reader = current_actor().id
    return "you" if reader is not None and reader == actor_id else named(kind, name)


@checks.get("")
@listed("daily-checks", "Runs of daily checks", keeps=("day",), reads=lambda values, _actor: _read(values))
@requires(Permission.TREASURY_READ)
def overview() -> Response:
    """The last finished run, how each check went over the last days, open alerts, and the runs before."""
    last = queries.latest()
    results = queries.results([last.id])[last.id] if last else {}
    days, past = queries.trend(days=TREND_DAYS)
    standing = alerts.alerts(limit=MOST_ALERTS + 1)
    context, status = _history()
    return page_or_fragment(
        "treasury/checks/overview.html", "treasury/checks/_overview.html", status=status, last=last,
        rows=rows(results), days=days, past=past, badges=BADGES, result_of=result_of, titles=TITLES, who=who,
        in_words=run_in_words, alerts=standing[:MOST_ALERTS], more_alerts=len(standing) > MOST_ALERTS,
        may_settle=current_actor().may(Permission.TREASURY_WRITE), **context, **progress(),
    )  # fmt: skip


def _asked(values: Mapping[str, str] | None = None) -> tuple[str, date | None, str | None]:
    """The business day of an address as typed and as it was read, and what is wrong with it."""
    said = (request.args if values is None else values).get("day", "").strip()
    try:
        return said, date.fromisoformat(said) if said else None, None
    except ValueError:
        return said, None, "Write the day as 2026-03-12."


def _read(values: Mapping[str, str]) -> Choices:
    """The filter of the runs as a saved view keeps it."""
    said, _, wrong = _asked(values)
    return Choices([("Business day", said)] if said else [], [f"Business day: {wrong}"] if wrong else [])


def result_of(view: RunView) -> tuple[str, str]:
    """Colour role and word of what a run came to."""
    if view.state != "finished":
        return RUN_BADGES[view.state]
    if view.run.failed:
        return "stop", "Failed"
    return ("unknown", "Incomplete") if view.run.not_run else ("ok", "Passed")


def _history() -> tuple[dict[str, Any], int]:
    """The runs of the page asked for, newest first, of one day where one is named."""
    said, day, wrong = _asked()
    context: dict[str, Any] = {"runs": [], "day": said, "day_error": wrong, "cursor_problem": False}
    if wrong:
        return context, 422
    bound = ["daily-checks", said]
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        return {**context, "cursor_problem": True}, 400
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.runs(
        day=day, before=None if backwards else edge, after=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
    )

    def key(view: RunView) -> list[Any]:
        return [str(view.run.id)]

    shown, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)

    def at(cursor: str | None) -> str | None:
        return url_for(".overview", day=said or None, cursor=cursor) if cursor else None

    return {**context, "runs": shown, "earlier": at(earlier), "later": at(later)}, 200


COLUMNS = (
    Column("started", "Started", Kind.MOMENT),
    Column("day", "Business day", Kind.DATE),
    Column("by", "By"),
    Column("passed", "Passed", Kind.NUMBER),
    Column("failed", "Failed", Kind.NUMBER),
    Column("not_run", "Not run", Kind.NUMBER),
    Column("finished", "Finished", Kind.MOMENT),
    Column("result", "Result"),
    Column("id", "Run", share=1.4),
)
#: runs that an export reads at once
PART = 500


@checks.get("/runs/export/<form>")
@downloads("daily-checks")
@requires(Permission.TREASURY_READ)
def export_runs(form: str) -> Response:
    """All runs, newest first, or those of one business day, as `csv` or `xlsx`."""
    chosen_format, (_, day, wrong) = Format.of_a_list(form), _asked()
    if wrong:
        raise Invalid.one("day", wrong, "date")

    def older(last: RunView | None) -> list[RunView]:
        return queries.runs(day=day, before=last.run.id if last else None, limit=PART)

    def listed() -> Iterator[Row]:
        for part in parts(older):
            for view in part:
                run = view.run
                yield {
                    "started": run.started_at,
                    "day": run.day,
                    "by": named(run.by_kind, run.by_name),
                    "passed": run.passed,
                    "failed": run.failed,
                    "not_run": run.not_run,
                    "finished": run.finished_at,
                    "result": result_of(view)[1],
                    "id": run.id,
                }

    filters = [("Business day", day.isoformat())] if day else []
    about = exports.about("Runs of daily checks", filters=filters, by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), listed, chosen_format)


@checks.get("/progress")
@requires(Permission.TREASURY_READ)
def run_progress() -> Response:
    """The run under way, for its bar; when it has ended the whole page is loaded again."""
    context = progress()
    answer = page_or_fragment("treasury/checks/progress.html", "treasury/checks/_progress.html", **context)
    if not context["running"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@checks.post("/runs")
@requires(Permission.LEDGER_OPERATE)
def run_now() -> Any:
    """Ask for the checks of a closed day, of the last one where none is named."""
    said = request.form.get("day", "").strip()
    try:
        day = date.fromisoformat(said) if said else None
    except ValueError:
        flash("Write the day as 2026-03-12. Nothing was asked for.", "stop")
        return go(url_for(".overview"))
    try:
        with transaction():
            asking.ask(day=day, by=current_actor())
    except (Refused, Conflict) as refusal:
        flash(refusal.message, "stop")
    return go(url_for(".overview"))


@checks.post("/runs/<uuid:job_id>/cancel")
@requires(Permission.LEDGER_OPERATE)
def cancel_run(job_id: UUID) -> Any:
    """Stop a run; the results that it has come to stay."""
    try:
        with transaction():
            asking.cancel(job_id, by=current_actor())
    except Conflict:
        flash("This run had ended already.", "info")
    return go(url_for(".overview"))


@checks.get("/runs/<uuid:run_id>")
@requires(Permission.TREASURY_READ)
def show_run(run_id: UUID) -> Response:
    """One run: how each check ended, with its first findings."""
    view = queries.view_of(run_id)
    results = queries.results([run_id])[run_id]
    found = {
        key: queries.findings(FindingFilter(run_id, key), limit=MOST_SHOWN)
        for key, result in results.items()
        if result.findings
    }
    return page_or_fragment(
        "treasury/checks/run.html", "treasury/checks/_run.html", view=view, run=view.run, rows=rows(results),
        findings=found, run_badges=RUN_BADGES, who=who, most=MOST_SHOWN,
    )  # fmt: skip


def run_in_words(run: DailyCheckRun) -> str:
    """9 passed · 1 failed · 1 not run"""
    parts = ((run.passed, "passed"), (run.failed, "failed"), (run.not_run, "not run"))
    return " · ".join(f"{count} {word}" for count, word in parts if count)
