"""Balance checks: runs, progress, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background import services as work
from dashboard.background.models import BackgroundJob
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.ledger.check_forms import AcceptForm
from dashboard.ledger.owners import OwnerView, directory
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.ledger.queries import checks as queries
from dashboard.ledger.queries.checks import FindingView, RunView
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType, CheckScope
from dashboard.views.lists import choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, parts
from dashboard.web.exports import Row as Line
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

#: open findings that stand above the runs; more have a list of their own
MOST_ABOVE = 10

SCOPES = {
    CheckScope.TOUCHED.value: "What moved",
    CheckScope.FULL.value: "All accounts",
    CheckScope.CHOSEN.value: "Given accounts",
}
#: colour role and word of each state of a run
RUN_STATES = {
    "running": ("info", "Running"),
    "failed": ("stop", "Failed"),
    "canceled": ("neutral", "Canceled"),
}
FINDING_STATES = {"accepted": ("ok", "Rebuilt stands"), "gone": ("neutral", "Gone by itself")}
#: findings by the view that lists them
VIEWS = {"open": ["open"], "closed": ["accepted", "gone"]}
VIEW_LABELS = {"open": "Open findings", "closed": "Closed findings"}

Row = TypeVar("Row", RunView, FindingView)


@dataclass(frozen=True)
class Amounts:
    """Posted and held of a finding, in words; `held` is empty where it does not differ, and so is `posted`."""

    posted: str
    held: str


@dataclass(frozen=True)
class FindingRow:
    """A finding as its table shows it. `request_id`: the request that waits for a second person."""

    finding: FindingView
    number: str
    whose: str
    stored: Amounts
    rebuilt: Amounts
    difference: Amounts
    owner: OwnerView | None
    request_id: UUID | None
    state: tuple[str, str] | None


def _signed(finding: FindingView, minor: int) -> str:
    return f"{'+' if minor > 0 else ''}{finding.money(minor)}"


def finding_rows(findings: Sequence[FindingView]) -> list[FindingRow]:
    """Rows with owners and open requests, one query each for all."""
    owners = directory().named({finding.owner_id for finding in findings if finding.owner_id})
    waiting = queries.waiting_for_decision([finding.id for finding in findings], kind=checking.ACCEPT)
    rows = []
    for finding in findings:
        change = finding.difference

        def shown(posted: int, held: int, write: Callable[[int], str], change: queries.Balances = change) -> Amounts:
            return Amounts(write(posted) if change.posted else "", write(held) if change.held else "")

        def plain(minor: int, finding: FindingView = finding) -> str:
            return str(finding.money(minor))

        def signed(minor: int, finding: FindingView = finding) -> str:
            return _signed(finding, minor)

        owner = owners.get(finding.owner_id) if finding.owner_id else None
        rows.append(
            FindingRow(
                finding=finding,
                number=numbers.in_groups(finding.number),
                whose=owner.name if owner else ACCOUNT_TYPE_LABELS[AccountType(finding.type)],
                stored=shown(finding.stored.posted, finding.stored.held, plain),
                rebuilt=shown(finding.rebuilt.posted, finding.rebuilt.held, plain),
                difference=shown(change.posted, change.held, signed),
                owner=owner,
                request_id=waiting.get(finding.id),
                state=FINDING_STATES.get(finding.state),
            )
        )
    return rows


def _page(
    view: str, read: Callable[..., list[Row]]
) -> tuple[list[Row], str | None, str | None]:  # fmt: skip
    """A page of a list and the addresses of those beside it. Raises InvalidCursor."""
    bound = ["balance-checks", view]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = read(
        before=None if backwards else edge, after=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
    )  # fmt: skip

    def key(row: Row) -> list[Any]:
        return [str(row.id)]

    shown, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)

    def at(cursor: str | None) -> str | None:
        return url_for(".checks", view=view if view in VIEWS else None, cursor=cursor) if cursor else None

    return shown, at(earlier), at(later)


def _progress() -> dict[str, Any]:
    """What is going on now: the newest job while it waits or runs, or when it came to nothing."""
    actor = current_actor()
    job = background.latest(checking.CHECK)
    running = job is not None and job.state in background.UNFINISHED
    return {
        "job": job if job is not None and job.state != "succeeded" else None,
        "running": running,
        "job_scope": SCOPES[job.arguments["scope"]] if job else "",
        "job_by": _who(job, actor.id) if job else "",
        "may_operate": actor.may(Permission.LEDGER_OPERATE),
    }


def _who(job: BackgroundJob, reader: UUID | None) -> str:
    return "you" if reader is not None and job.asked_by_id == reader else named(job.asked_by_kind, job.asked_by_name)


@ledger.get("/checks")
@listed(
    "balance-checks", "Balance checks", keeps=("view",),
    reads=choices(view=VIEW_LABELS),
)  # fmt: skip
@requires(Permission.LEDGER_READ)
def checks() -> Response:
    """Runs with the open findings above; `view` open or closed lists findings."""
    actor = current_actor()
    view = request.args.get("view", "")
    context: dict[str, Any] = {"view": view if view in VIEWS else "runs", "cursor_problem": False}
    try:
        if view in VIEWS:
            found, earlier, later = _page(view, lambda **edges: queries.findings(states=VIEWS[view], **edges))
            context |= {"findings": finding_rows(found), "earlier": earlier, "later": later}
        else:
            runs, earlier, later = _page(view, queries.runs)
            above = queries.findings(states=VIEWS["open"], limit=MOST_ABOVE)
            context |= {"findings": finding_rows(above), "runs": runs, "earlier": earlier, "later": later}
    except InvalidCursor:
        context |= {"cursor_problem": True, "findings": [], "runs": []}
    return make_response(
        render_template(
            "ledger/checks.html",
            open_findings=queries.count_open_findings(),
            ever_finished=queries.ever_finished(),
            paged=bool(request.args.get("cursor")),
            scopes=SCOPES,
            result_of=result_of,
            reader=actor.id,
            named=named,
            **context,
            **_progress(),
        ),
        400 if context["cursor_problem"] else 200,
    )


RUNS = (
    Column("started", "Started", Kind.MOMENT),
    Column("what", "What"),
    Column("by", "By"),
    Column("accounts", "Accounts", Kind.NUMBER),
    Column("differences", "Differences", Kind.NUMBER),
    Column("finished", "Finished", Kind.MOMENT),
    Column("result", "Result"),
    Column("id", "Run", share=1.4),
)
FINDINGS = (
    Column("account", "Account"),
    Column("whose", "Whose", share=1.4),
    Column("currency", "Currency", share=0.4),
    Column("stored", "Stored", Kind.AMOUNT),
    Column("rebuilt", "Rebuilt", Kind.AMOUNT),
    Column("difference", "Rebuilt − stored", Kind.AMOUNT),
    Column("stored_held", "Stored held", Kind.AMOUNT),
    Column("rebuilt_held", "Rebuilt held", Kind.AMOUNT),
    Column("difference_held", "Rebuilt − stored held", Kind.AMOUNT),
    Column("found", "Found", Kind.MOMENT),
    Column("closed", "Closed", Kind.MOMENT),
    Column("state", "State"),
    Column("id", "Finding", share=1.4),
)
#: runs or findings that an export reads at once
PART = 500


def result_of(run: RunView) -> tuple[str, str]:
    """Colour role and word of what a run came to."""
    if run.state != "finished":
        return RUN_STATES[run.state]
    if not run.differences:
        return "ok", "Passed"
    return "stop", "1 difference" if run.differences == 1 else f"{run.differences:,} differences"


def _runs() -> Iterator[Line]:
    def older(last: RunView | None) -> list[RunView]:
        return queries.runs(before=last.id if last else None, limit=PART)

    for part in parts(older):
        for run in part:
            yield {
                "started": run.started_at,
                "what": SCOPES[run.scope],
                "by": named(run.by_kind, run.by_name),
                "accounts": run.accounts,
                # what a run that did not finish found is not all that there is
                "differences": run.differences if run.state == "finished" or run.differences else None,
                "finished": run.finished_at,
                "result": result_of(run)[1],
                "id": run.id,
            }


def _findings(view: str) -> Iterator[Line]:
    def older(last: FindingView | None) -> list[FindingView]:
        return queries.findings(states=VIEWS[view], before=last.id if last else None, limit=PART)

    for part in parts(older):
        for row in finding_rows(part):
            found = row.finding
            waits = ("wait", "Waiting for approval") if row.request_id else ("wait", "Open")
            yield {
                "account": row.number,
                "whose": row.whose,
                "currency": found.currency.upper(),
                "stored": found.money(found.stored.posted),
                "rebuilt": found.money(found.rebuilt.posted),
                "difference": found.money(found.difference.posted),
                "stored_held": found.money(found.stored.held),
                "rebuilt_held": found.money(found.rebuilt.held),
                "difference_held": found.money(found.difference.held),
                "found": found.found_at,
                "closed": found.closed_at,
                "state": (row.state or waits)[1],
                "id": found.id,
            }


@ledger.get("/checks/export/<form>")
@downloads("balance-checks")
@requires(Permission.LEDGER_READ)
def checks_export(form: str) -> Response:
    """The runs, or with `view` the open or closed findings, all pages of them, as `csv` or `xlsx`."""
    chosen_format = Format.of_a_list(form)
    view, by = request.args.get("view", ""), current_actor().name
    if view in VIEWS:
        about = exports.about("Balance checks, findings", filters=[("Findings", VIEW_LABELS[view])], by=by)
        return exports.answer(Listing(about, FINDINGS), lambda: _findings(view), chosen_format)
    return exports.answer(Listing(exports.about("Balance checks", by=by), RUNS), _runs, chosen_format)


@ledger.get("/checks/progress")
@requires(Permission.LEDGER_READ)
def checks_progress() -> Response:
    """The running check, for its bar; when it has ended the whole page is loaded again."""
    context = _progress()
    answer = page_or_fragment("ledger/checks_progress.html", "ledger/_checks_progress.html", **context)
    if not context["running"]:
        answer.headers["HX-Refresh"] = "true"
    return answer


@ledger.post("/checks")
@requires(Permission.LEDGER_OPERATE)
def start_check() -> Any:
    """Ask for a check."""
    wanted = request.form.get("scope", "")
    if wanted not in {CheckScope.TOUCHED, CheckScope.FULL}:
        raise Invalid.one("scope", "Choose what moved (touched) or all accounts (full).", "enum")
    with transaction():
        job = checking.ask_to_check(CheckScope(wanted), by=current_actor())
    if job.arguments["scope"] != wanted:
        flash("Another check is under way. Start this one when it has ended.", "wait")
    return go(url_for(".checks"))


@ledger.post("/checks/jobs/<uuid:job_id>/cancel")
@requires(Permission.LEDGER_OPERATE)
def cancel_check(job_id: UUID) -> Any:
    """Stop a check; what it found so far stays."""
    try:
        with transaction():
            work.cancel(job_id, kind=checking.CHECK, by=current_actor())
    except Conflict:
        flash("This check had ended already.", "info")
    return go(url_for(".checks"))


@ledger.route("/checks/findings/<uuid:finding_id>/accept", methods=["GET", "POST"])
@requires(Permission.LEDGER_OPERATE)
def accept_rebuilt(finding_id: UUID) -> Any:
    """The dialog that asks a second person to let the rebuilt balance stand, and the request."""
    form = AcceptForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    checking.ask_to_accept(finding_id, reason=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("Asked to let the rebuilt balance stand. Another person decides.", "wait")
                return go(url_for(".checks"))
    [row] = finding_rows([queries.finding(finding_id)])
    return page_or_fragment(
        "ledger/checks_dialog.html",
        "ledger/_checks_accept.html",
        status=status,
        row=row,
        form=form,
        answered=status,
        who=who_can_decide(checking.ACCEPT, maker=current_actor()),
    )
