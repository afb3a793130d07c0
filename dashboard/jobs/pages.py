"""The clock as people see it: what runs when, how it went, what runs now; and running, pausing and canceling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import kinds
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.jobs import queries, services, times
from dashboard.jobs.forms import PauseForm
from dashboard.jobs.models import JobRun
from dashboard.jobs.queries import RunFilter
from dashboard.jobs.schedule import JOBS, Job
from dashboard.views.lists import choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.moments import span
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

jobs = Blueprint("jobs", __name__, url_prefix="/jobs")

BY_NAME = {job.name: job for job in JOBS}
BADGES = {
    "queued": ("info", "Waiting"),
    "running": ("info", "Running"),
    "succeeded": ("ok", "Succeeded"),
    "failed": ("stop", "Failed"),
    "lost": ("stop", "Lost"),
    "canceled": ("neutral", "Canceled"),
}
STATES = {"": "All", "trouble": "Trouble", "failed": "Failed", "lost": "Lost", "succeeded": "Succeeded"}
#: work that has ended and stands below what runs
MOST_ENDED = 20
MOST_RUNNING = 100
#: a run that begins later than this after its time was late
LATE = timedelta(minutes=5)

COLUMNS = (
    Column("label", "Job"),
    Column("job", "Name of the job"),
    Column("scheduled_at", "Time", Kind.MOMENT),
    Column("started_at", "Started", Kind.MOMENT),
    Column("finished_at", "Finished", Kind.MOMENT),
    Column("state", "Result"),
    Column("missed", "Times missed before", Kind.NUMBER),
    Column("attempts", "Attempts", Kind.NUMBER),
    Column("by", "By"),
    Column("figures", "Figures", share=2),
    Column("failure", "Failure", share=2),
)


def _job(name: str) -> Job:
    """Raises NotFound."""
    found = BY_NAME.get(name)
    if found is None:
        raise NotFound("There is no such job.", code="jobNotFound")
    return found


def _who(kind: str, actor_id: UUID | None, name: str) -> str:
    reader = current_actor().id
    return "you" if reader is not None and reader == actor_id else named(kind, name)


def duration(start: datetime | None, end: datetime | None) -> str:
    """2 min; 340 ms and 4.2 s while it is less than a minute; empty while it is not known."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else span(end - start)


def label_of(name: str) -> str:
    """What people call a job; of one that is no more there is the name."""
    return BY_NAME[name].label if name in BY_NAME else name


def shown(run: JobRun) -> dict[str, Any]:
    """A run as its table shows it."""
    late = run.started_at - run.scheduled_at if run.started_at and not run.by_hand else timedelta()
    notes = []
    if late > LATE:
        notes.append(f"caught up {span(late)} late")
    if run.missed:
        notes.append(f"stands for {run.missed:,} missed time{'' if run.missed == 1 else 's'} too")
    if run.attempts > 1:
        notes.append(f"attempt {run.attempts}: its scheduler was lost")
    return {
        "run": run,
        "label": label_of(run.job),
        "badge": BADGES[run.state],
        "duration": duration(run.started_at, run.finished_at),
        "by": _who(run.asked_by_kind, run.asked_by_id, run.asked_by) if run.by_hand else "the clock",
        "figures": in_words(run.figures),
        "notes": "; ".join(notes),
    }


def in_words(figures: Mapping[str, Any] | None) -> str:
    """expired 3 · finished 0"""
    return " · ".join(f"{name} {value}" for name, value in (figures or {}).items())


def _work(job: BackgroundJob) -> dict[str, Any]:
    known = kinds.registered()
    return {
        "job": job,
        "label": kinds.kind_of(job.kind).label if job.kind in known else job.kind,
        "badge": BADGES[job.state],
        "by": _who(job.asked_by_kind, job.asked_by_id, job.asked_by_name),
        "duration": duration(job.started_at, job.finished_at),
    }


def running() -> dict[str, Any]:
    """Background work of every kind that waits or runs."""
    return {
        "work": [_work(job) for job in queries.work(unfinished=True, limit=MOST_RUNNING)],
        "may_operate": current_actor().may(Permission.JOBS_OPERATE),
    }


@jobs.get("")
@requires(Permission.JOBS_READ)
def overview() -> Response:
    """Every job: when next, how the last run went; and what runs in the background."""
    now, zone = clock.now(), current_app.extensions["countinghouse.settings"].zone
    settings, newest = queries.settings(), queries.newest()
    rows = [
        {
            "job": job,
            "setting": settings.get(job.name),
            "next": None if _paused(settings.get(job.name)) else times.following(job.when.trigger(zone), now),
            "last": shown(newest[job.name]) if job.name in newest else None,
        }
        for job in JOBS
    ]
    return page_or_fragment(
        "jobs/overview.html", "jobs/_overview.html", rows=rows, trouble=queries.trouble(), known=bool(settings),
        ended=[_work(job) for job in queries.work(unfinished=False, limit=MOST_ENDED)], who=_who, **running(),
    )  # fmt: skip


def _paused(setting: Any) -> bool:
    return setting is not None and setting.paused_at is not None


@jobs.get("/work")
@requires(Permission.JOBS_READ)
def running_work() -> Response:
    """What runs in the background, for its bars."""
    return page_or_fragment("jobs/work.html", "jobs/_work.html", **running())


@jobs.post("/work/<uuid:job_id>/cancel")
@requires(Permission.JOBS_OPERATE)
def cancel_work(job_id: UUID) -> Any:
    """Work that waits is canceled at once, work that runs at its next step."""
    try:
        with transaction():
            kind = queries.piece_of_work(job_id).kind
            background.cancel(job_id, kind=kind, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "info")
    return go(url_for(".overview"))


@jobs.post("/<name>/run")
@requires(Permission.JOBS_OPERATE)
def run_now(name: str) -> Any:
    """Have a scheduler run it as soon as it can."""
    job = _job(name)
    try:
        with transaction():
            services.ask_now(job.name, by=current_actor())
    except (Conflict, NotFound) as refusal:
        flash(refusal.message, "stop")
    else:
        flash(f"{job.label}: asked for. A scheduler takes it up within seconds.", "info")
    return go(url_for(".overview"))


@jobs.route("/<name>/pause", methods=["GET", "POST"])
@requires(Permission.JOBS_OPERATE)
def pause(name: str) -> Any:
    """The dialog that pauses a job, and doing so."""
    job, form, status = _job(name), PauseForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    services.pause(job.name, because=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict, NotFound) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash(f"{job.label} is paused. It stays so until somebody resumes it.", "wait")
                return go(url_for(".overview"))
    return page_or_fragment("jobs/pause.html", "jobs/_pause.html", status=status, job=job, form=form, answered=status)


@jobs.post("/<name>/resume")
@requires(Permission.JOBS_OPERATE)
def resume(name: str) -> Any:
    """The clock starts it again, from its next time on."""
    job = _job(name)
    try:
        with transaction():
            services.resume(job.name, by=current_actor())
    except (Conflict, NotFound) as refusal:
        flash(refusal.message, "info")
    return go(url_for(".overview"))


def _asked(name: str | None) -> tuple[RunFilter, dict[str, str]]:
    """The filter of a log and its values as typed. Raises Invalid."""
    state = request.args.get("state", "").strip()
    if state not in STATES:
        raise Invalid.one("state", "Choose trouble, failed, lost or succeeded.", "enum")
    trouble = state == "trouble"
    return RunFilter(name, None if trouble else state or None, trouble), {"state": state} if state else {}


@jobs.get("/log")
@listed("job-log", "Log of jobs", keeps=("state",), reads=choices(state=STATES))
@requires(Permission.JOBS_READ)
def log() -> Response:
    """Runs of all jobs, newest first."""
    return _log(None)


@jobs.get("/<name>")
@requires(Permission.JOBS_READ)
def show(name: str) -> Response:
    """One job and its runs, newest first."""
    return _log(_job(name))


def _log(job: Job | None) -> Response:
    chosen, values = _asked(job.name if job else None)
    base = url_for(".show", name=job.name) if job else url_for(".log")
    bound = ["job-runs", job.name if job else "", sorted(values.items())]

    def at(cursor: str | None) -> str | None:
        return f"{base}?{urlencode({**values, 'cursor': cursor})}" if cursor else None

    def key(run: JobRun) -> list[Any]:
        return [str(run.id)]

    context: dict[str, Any] = {"runs": [], "cursor_problem": False}
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        context["cursor_problem"] = True
    else:
        edge = UUID(position.key[0]) if position else None
        backwards = position is not None and position.backwards
        found = queries.runs(
            chosen, before=None if backwards else edge, after=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
        )
        rows, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)
        context |= {"runs": [shown(run) for run in rows], "earlier": at(earlier), "later": at(later)}
    zone = current_app.extensions["countinghouse.settings"].zone
    setting = queries.settings().get(job.name) if job else None
    return page_or_fragment(
        "jobs/log.html", "jobs/_log.html", status=400 if context["cursor_problem"] else 200, job=job, base=base,
        setting=setting, states=STATES, state=values.get("state", ""), who=_who,
        next=times.following(job.when.trigger(zone), clock.now()) if job and not _paused(setting) else None,
        export=url_for(".export", form="csv", job=job.name if job else None, state=values.get("state")),
        export_xlsx=url_for(".export", form="xlsx", job=job.name if job else None, state=values.get("state")),
        may_operate=current_actor().may(Permission.JOBS_OPERATE), **context,
    )  # fmt: skip


@jobs.get("/log/export/<form>")
@downloads("job-log", filters=("job",))
@requires(Permission.JOBS_READ)
def export(form: str) -> Response:
    """Exactly what the log shows, all pages of it, as `csv` or `xlsx`."""
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    name = request.args.get("job", "").strip() or None
    job = _job(name) if name else None
    chosen, values = _asked(job.name if job else None)
    filters = [("Job", job.label)] if job else []
    filters += [("State", STATES[value]) for value in values.values()]
    about = exports.about("Runs of jobs", filters=filters, by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), lambda: _rows(chosen), Format(form))


def _rows(chosen: RunFilter) -> Iterator[Mapping[str, object]]:
    for run in queries.every_run(chosen):
        yield {
            "label": label_of(str(run["job"])),
            "job": run["job"],
            "scheduled_at": run["scheduled_at"],
            "started_at": run["started_at"],
            "finished_at": run["finished_at"],
            "state": BADGES[str(run["state"])][1],
            "missed": run["missed"],
            "attempts": run["attempts"],
            "by": run["asked_by"] if run["by_hand"] else "the clock",
            "figures": in_words(run["figures"]),
            "failure": run["failure"] or "",
        }
