"""GL-25, GL-26 and GL-27: results of daily checks, running them, and what they found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_openapi3 import APIBlueprint, Tag

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import Invalid, NotFound
from dashboard.treasury.checks import queries
from dashboard.treasury.checks.queries import FindingFilter
from dashboard.treasury.checks.schemas import (
    DetailsQuery,
    FindingList,
    RunDto,
    RunList,
    RunsQuery,
    StartBody,
    asked_dto,
    finding_dto,
    run_dto,
)
from dashboard.treasury.checks.services import asking
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal

SYSTEM = [Tag(name="GeneralLedger - System", description="Accounts, payments and balances, for internal systems.")]

check_operations = APIBlueprint("check_operations", __name__, abp_security=[{"token": []}])


@check_operations.get(
    "/internal/DailyCheck", tags=SYSTEM, summary="Results of daily checks",
    description="Runs, newest first, each with how every check ended: passed, failed, or notRun with the input that"
    " was missing. A run under way has the results that it has come to so far.",
    operation_id="listDailyChecks", responses={200: RunList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TREASURY_READ)
def list_daily_checks(query: RunsQuery) -> dict[str, Any]:
    bound = {"list": "GL-25", "date": str(query.date_)}
    position = unseal(query.cursor, bound=bound)
    found = queries.runs(day=query.date_, before=UUID(position.key[0]) if position else None, limit=query.page_size + 1)
    shown, more = found[: query.page_size], len(found) > query.page_size
    results = queries.results([view.run.id for view in shown])
    following = seal(Position([str(shown[-1].run.id)]), bound=bound) if more else None
    return listed([run_dto(view, results[view.run.id]) for view in shown], following)


@check_operations.post(
    "/internal/DailyCheck", tags=SYSTEM, summary="Run the daily checks of a day",
    description="In the background: follow it with GET /internal/DailyCheck. While a run is queued or under way, that"
    " is the answer: `date` tells of which day. A day that is still open: 422 `dayOpen`; a later one: 422 `futureDay`;"
    " one that was no business day: 422 `unknownDay`; no day has ended yet: 422 `noClosedDay`.",
    operation_id="runDailyChecks", responses={200: RunDto, **documented_errors(409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_OPERATE)
def run_daily_checks(body: StartBody) -> dict[str, Any]:
    with transaction():
        job = asking.ask(day=body.date_, by=current_actor())
        if queries.run_of(job.id) is None:
            return asked_dto(job)
        return run_dto(queries.view_of(job.id), queries.results([job.id])[job.id])


def _chosen(query: DetailsQuery) -> UUID:
    if query.run_id is not None:
        if query.date_ is not None:
            raise Invalid.one("date", "Give a run or a date, not both.", "notAllowed")
        return queries.get(query.run_id).id
    found = queries.latest(day=query.date_)
    if found is None:
        raise NotFound("No run of the daily checks has finished for this.", code="runNotFound")
    return found.id


@check_operations.get(
    "/internal/DailyCheck/details", tags=SYSTEM, summary="Findings behind a daily check",
    description="In the order of the checks; the first thousand of each check are kept, `findings` of GET"
    " /internal/DailyCheck counts all. Without `runId` those of the last finished run. No such run: 404"
    " `runNotFound`.",
    operation_id="listDailyCheckFindings", responses={200: FindingList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TREASURY_READ)
def list_daily_check_findings(query: DetailsQuery) -> dict[str, Any]:
    run = queries.get(_chosen(query))
    bound = {"list": "GL-27", "run": str(query.run_id), "date": str(query.date_), "check": query.check}
    position = unseal(query.cursor, bound=bound)
    found = queries.findings(
        FindingFilter(run.id, query.check), after=UUID(position.key[0]) if position else None,
        limit=query.page_size + 1,
    )  # fmt: skip
    shown, more = found[: query.page_size], len(found) > query.page_size
    following = seal(Position([str(shown[-1].id)]), bound=bound) if more else None
    return {
        "runId": str(run.id),
        "date": run.day.isoformat(),
        **listed([finding_dto(finding) for finding in shown], following),
    }
