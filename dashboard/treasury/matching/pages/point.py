"""A bank account as of the end of a business day: the equation, its rows, and running the comparison."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background import services as work
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger.queries import days as ledger_days
from dashboard.money import Money
from dashboard.staff import queries as staff
from dashboard.treasury.matching.forms import day_of, identifiers
from dashboard.treasury.matching.models import MatchRun
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.queries import break_rows, equation, items, matches, rules, runs
from dashboard.treasury.matching.queries.break_rows import BreakFilter
from dashboard.treasury.matching.queries.points import last_run, statement_for
from dashboard.treasury.matching.services import runs as services
from dashboard.treasury.matching.vocabulary import (
    BREAK_LABELS,
    CARRIED_IN,
    MATCH,
    PASS_LABELS,
    BreakKind,
    MatchState,
    Pass,
)
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.vocabulary import PURPOSE_LABELS, Purpose
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

TABS = ("breaks", "proposed", "matched", "timing")
#: rows of the tab of breaks; the rest stands in the list of all breaks
MOST_BREAKS = 200


def said(view: BankAccountView) -> str:
    """PLN …7702 · Bank Beta · safeguarding: what tells accounts apart first: a narrow list cuts the rest."""
    purpose = f" · {PURPOSE_LABELS[Purpose(view.purpose)].lower()}" if view.purpose else ""
    return f"{view.currency.upper()} …{view.number[-4:]} · {view.name}{purpose}"


def chosen_account(accounts: list[BankAccountView]) -> BankAccountView | None:
    """The account of the address, else the first that is compared and has breaks, else the first with clients' money.

    Raises Invalid, NotFound.
    """
    wanted = request.values.get("account")
    if wanted:
        return register.account(identifiers([wanted], "account")[0])
    known = [view for view in accounts if view.settlement_account_id is not None]
    waiting = break_rows.accounts_with_breaks() if known else set()
    clients = [view for view in known if view.pool is not None]
    return next((view for view in known if view.id in waiting), next(iter(clients or known), None))


def latest_day() -> date | None:
    """The last business day that has ended; None before the first."""
    found = ledger_days.closed(limit=1)
    return found[0].day if found else None


def place_in(view: BankAccountView, day: date, **more: Any) -> str:
    """The address of a point."""
    return url_for("reconciliation.point", account=view.id, day=day.isoformat(), **more)


def neighbours_of(view: BankAccountView, day: date, last: date | None) -> tuple[date | None, date | None]:
    """The days of reconciliation before and after `day`; none after the last day that has ended."""
    try:
        before: date | None = register.previous_reconciliation_day(view, day)
    except LookupError:
        before = None
    after, candidate = None, day
    while last is not None and candidate < last:
        candidate += timedelta(days=1)
        if register.not_a_reconciliation_day(view, candidate) is None:
            after = candidate
            break
    return before, after


def progress(view: BankAccountView, day: date) -> dict[str, Any]:
    """The run that waits or works, or the newest that came to nothing."""
    run = runs.newest(view.id, day)
    job = None
    if run is not None and run.job_id is not None:
        job = background.get(run.job_id, kind=MATCH)
    running = run is not None and run.state in ("waiting", "running")
    told = dict(job.result or {}) if job is not None and running else {}
    return {
        "run": run,
        "job": job,
        "running": running,
        "at_pass": told.get("pass"),
        "of_passes": told.get("passes"),
        "account": view,
        "day": day,
        "may_write": current_actor().may(Permission.TREASURY_WRITE),
    }


def run_words(run: MatchRun) -> list[dict[str, Any]]:
    """The passes of a run with what each found."""
    return [
        {"label": PASS_LABELS[Pass(one["pass"])], "matched": one["matched"], "proposed": one["proposed"]}
        for one in run.figures.get("passes", [])
    ]


@reconciliation.get("/reconciliation")
@requires(Permission.TREASURY_READ)
def point() -> Response:
    """The equation of an account and day, with breaks, proposals, matches and what still has time."""
    accounts = register.accounts()
    view = chosen_account(accounts)
    last = latest_day()
    if view is None or last is None:
        return page_or_fragment(
            "treasury/matching/nothing.html", "treasury/matching/nothing.html", accounts=accounts, last=last
        )
    day = day_of(request.args.get("day")) or last
    tab = request.args.get("tab", "breaks")
    if tab not in TABS:
        raise Invalid.one("tab", "Choose breaks, proposed, matched or timing.", "enum")
    stands = equation(view.id, day)
    run = last_run(view.id, day)
    dry = last_run(view.id, day, dry=True)
    before, after = neighbours_of(view, day, last)
    of_account = BreakFilter(bank_account_id=view.id, day=day)
    many, sums = break_rows.count(of_account)
    let_stand, _ = break_rows.count(replace(of_account, state="accepted"))
    counts = {
        "breaks": many,
        "proposed": matches.counted(view.id, MatchState.PROPOSED, day),
        "matched": matches.counted(view.id, MatchState.LIVE, day),
    }
    context: dict[str, Any] = {"rows": [], "earlier": None, "later": None, "cursor_problem": False}
    try:
        context |= _rows(view, day, tab, of_account)
    except InvalidCursor:
        context["cursor_problem"] = True
    tabs = [
        {"label": label, "url": place_in(view, day, tab=key), "current": tab == key, "count": _counted(counts.get(key))}
        for key, label in (
            ("breaks", "Breaks"), ("proposed", "Proposed"), ("matched", "Matched"), ("timing", "Timing"),
        )
    ]  # fmt: skip
    statement = statement_for(view, day)
    return page_or_fragment(
        "treasury/matching/point.html",
        "treasury/matching/_rows.html",
        status=400 if context["cursor_problem"] else 200,
        accounts=[(one.id, said(one)) for one in accounts if one.settlement_account_id is not None],
        view=view,
        said=said(view),
        currency=view.currency.upper(),
        last=last,
        before=before,
        after=after,
        tab=tab,
        tabs=tabs,
        counts=counts,
        total=Money(sums.get(view.currency, 0), view.currency),
        matched_said=f"{_counted(counts['matched'])} match{'' if counts['matched'] == 1 else 'es'}",
        breaks_said=_breaks_said(many, let_stand),
        accepted=url_for(".breaks", account=view.id, state="accepted") if let_stand else None,
        stands=stands,
        carried_asked=approvals.live(CARRIED_IN, view.id)
        if stands.carried_minor and not stands.carried_accepted
        else None,
        money=lambda minor: Money(minor, view.currency),
        statement=statement,
        holiday=register.not_a_reconciliation_day(view, day),
        last_run=run,
        last_dry=dry if dry is not None and (run is None or dry.id > run.id) else None,
        run_by=named(run.by_kind, run.by_name) if run is not None else "",
        passes=run_words(dry) if dry is not None else [],
        dry_breaks=[
            (BREAK_LABELS[BreakKind(kind)], told["count"], Money(told["sumMinor"], view.currency))
            for kind, told in (dry.figures.get("breaks", {}) if dry is not None else {}).items()
        ],
        rules_version=rules.newest().version,
        now=clock.now(),
        most=MOST_BREAKS,
        place=lambda **more: place_in(view, day, **more),
        **context,
        **progress(view, day),
    )


def _breaks_said(unresolved: int, accepted: int) -> str:
    """How many breaks the figure of the equation is made of."""
    if not accepted:
        return f"Breaks ({unresolved})"
    return f"Breaks {accepted}, all accepted" if not unresolved else f"Breaks ({unresolved}), {accepted} accepted"


def _counted(many: int | None) -> str:
    if not many:
        return ""
    return f"{many:,}" + ("+" if many >= matches.MOST_COUNTED else "")


def _rows(view: BankAccountView, day: date, tab: str, of_account: BreakFilter) -> dict[str, Any]:
    if tab == "breaks":
        found = break_rows.listed(of_account, reader=current_actor().id, limit=MOST_BREAKS)
        return {"rows": found, "people": staff.names(row.owner_id for row in found if row.owner_id)}
    if tab == "timing":
        rows = items.open_rows(view.id, day, side="ledger", timing=True)
        return {"rows": rows + items.open_rows(view.id, day, side="bank", timing=True)}
    bound = ["matches", str(view.id), day.isoformat(), tab]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    listed = matches.listed(
        view.id,
        MatchState.PROPOSED if tab == "proposed" else MatchState.LIVE,
        day,
        after=None if backwards else edge,
        before=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    shown, earlier, later = neighbours(
        listed, position, size=DEFAULT_PAGE_SIZE, key=lambda match: [str(match.id)], bound=bound
    )
    return {
        "rows": shown,
        "earlier": place_in(view, day, tab=tab, cursor=earlier) if earlier else None,
        "later": place_in(view, day, tab=tab, cursor=later) if later else None,
    }


@reconciliation.post("/reconciliation/run")
@requires(Permission.TREASURY_WRITE)
def start_run() -> Any:
    """Ask for a run, or a dry one."""
    account_id = identifiers([request.form.get("account", "")], "account")[0]
    day = day_of(request.form.get("day"))
    if day is None:
        raise Invalid.one("day", "Say which day.", "required")
    try:
        with transaction():
            services.ask(account_id, day, dry=request.form.get("dry") == "yes", by=current_actor())
    except Refused as refusal:
        flash(refusal.message, "stop")
    return go(url_for(".point", account=account_id, day=day.isoformat()))


@reconciliation.get("/reconciliation/progress")
@requires(Permission.TREASURY_READ)
def run_progress() -> Response:
    """The run for its bar; when it has ended the whole page is loaded again."""
    view = chosen_account(register.accounts())
    day = day_of(request.args.get("day")) or latest_day()
    if view is None or day is None:
        raise NotFound("There is no such bank account.", code="bankAccountNotFound")
    context = progress(view, day)
    answer = page_or_fragment(
        "treasury/matching/progress.html", "treasury/matching/_progress.html", said=said(view), **context
    )
    if not context["running"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@reconciliation.post("/reconciliation/jobs/<uuid:job_id>/cancel")
@requires(Permission.TREASURY_WRITE)
def cancel_run(job_id: UUID) -> Any:
    """Stop a run: nothing of it stays."""
    try:
        with transaction():
            work.cancel(job_id, kind=MATCH, by=current_actor())
    except Conflict:
        flash("This run had ended already.", "info")
    return go(url_for(".point", account=request.form.get("account"), day=request.form.get("day")))
