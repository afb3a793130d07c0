"""Daily checks as machines ask for them and read them: GL-25, GL-26, GL-27."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.background.models import BackgroundJob
from dashboard.ledger.account_schemas import CURSOR, Cursor
from dashboard.ledger.schemas import Currency, Day, OptionalBody
from dashboard.money import Money
from dashboard.treasury.checks.models import DailyCheckFinding, DailyCheckResult
from dashboard.treasury.checks.queries import RunView
from dashboard.treasury.checks.table import CHECKS, TITLES
from dashboard.treasury.vocabulary import Pool
from dashboard.web.api import Answer, Body, TextGuard, examples
from dashboard.web.json import iso_utc
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Unset, Whole

Key = Literal[
    "zeroSum", "storedBalances", "holds", "guardedLimits", "snapshots", "statements", "settlement", "suspenseAge",
    "unconfirmedTransfers", "approvalsAge", "unprocessedEvents",
]  # fmt: skip
State = Literal["queued", "running", "finished", "failed", "canceled"]
PageSize = Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole]


class RunsQuery(Body):
    """GL-25."""

    date_: Annotated[Day | None, Unset] = Field(None, alias="date", description="Runs of this business day only.")
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)


class StartBody(OptionalBody):
    """GL-26."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(last=("The last closed day", {}), day=("A day", {"date": "2026-03-12"})),
        },
    )

    date_: Day | None = Field(None, alias="date", description="A closed business day; the last one when left out.")


class DetailsQuery(Body):
    """GL-27."""

    run_id: Annotated[Annotated[UUID, TextGuard] | None, Unset] = Field(
        None, description="The run; when left out, the last finished one, of `date` where that is given."
    )
    date_: Annotated[Day | None, Unset] = Field(None, alias="date", description="Not together with `runId`.")
    check: Annotated[Key | None, Unset] = Field(None, description="Findings of this check only.")
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)


class ResultDto(Answer):
    check: Key
    title: str
    outcome: Literal["passed", "failed", "notRun"]
    missing: str | None = Field(description="The input that was not there; null where nothing was missing.")
    looked: int = Field(description="Rows that the check looked at.")
    findings: int
    ended: datetime


class RunDto(Answer):
    run_id: UUID
    date_: date = Field(alias="date", description="The business day that is checked.")
    state: State = Field(description="finished: every check was gone through, whatever it found.")
    done: int = Field(description="Checks gone through so far.")
    total: int
    passed: int
    failed: int
    not_run: int
    checks: list[ResultDto] = Field(description="Those gone through so far.")
    failure: str | None
    started: datetime | None
    finished: datetime | None


class RunList(Answer):
    items: list[RunDto]
    next_cursor: str | None


class FindingDto(Answer):
    finding_id: UUID
    check: Key
    cause: str
    pool: Pool | None
    currency: Currency | None
    subject_type: str
    subject_id: UUID | None
    subject: str
    says: str
    to_do: str
    expected: float | None = Field(description="What it must be, in `currency`; a count where there is no currency.")
    found: float | None


class FindingList(Answer):
    run_id: UUID
    date_: date = Field(alias="date")
    items: list[FindingDto]
    next_cursor: str | None


def result_dto(result: DailyCheckResult) -> dict[str, Any]:
    """How one check ended."""
    return {
        "check": result.check_key,
        "title": TITLES.get(result.check_key, result.check_key),
        "outcome": result.outcome,
        "missing": result.missing,
        "looked": result.looked,
        "findings": result.findings,
        "ended": iso_utc(result.ended_at),
    }


def run_dto(view: RunView, results: Mapping[str, DailyCheckResult]) -> dict[str, Any]:
    """A run with the results that it has come to, in the order of the table."""
    run = view.run
    ended = [results[check.key] for check in CHECKS if check.key in results]
    return {
        "runId": str(run.id),
        "date": run.day.isoformat(),
        "state": view.state,
        "done": len(ended),
        "total": len(CHECKS),
        "passed": run.passed,
        "failed": run.failed,
        "notRun": run.not_run,
        "checks": [result_dto(result) for result in ended],
        "failure": view.failure,
        "started": iso_utc(run.started_at),
        "finished": iso_utc(run.finished_at) if run.finished_at else None,
    }


def asked_dto(job: BackgroundJob) -> dict[str, Any]:
    """A run that was asked for and has not begun."""
    return {
        "runId": str(job.id),
        "date": job.arguments["day"],
        "state": job.state if job.state != "succeeded" else "finished",
        "done": job.done,
        "total": len(CHECKS),
        "passed": 0,
        "failed": 0,
        "notRun": 0,
        "checks": [],
        "failure": job.failure,
        "started": iso_utc(job.started_at) if job.started_at else None,
        "finished": None,
    }


def _amount(minor: int | None, currency: str | None) -> Any:
    if minor is None:
        return None
    return Money(int(minor), currency).amount if currency else int(minor)


def finding_dto(finding: DailyCheckFinding) -> dict[str, Any]:
    """One finding with its row."""
    return {
        "findingId": str(finding.id),
        "check": finding.check_key,
        "cause": finding.cause,
        "pool": finding.pool,
        "currency": finding.currency,
        "subjectType": finding.subject_type,
        "subjectId": str(finding.subject_id) if finding.subject_id else None,
        "subject": finding.subject,
        "says": finding.says,
        "toDo": finding.todo,
        "expected": _amount(finding.expected_minor, finding.currency),
        "found": _amount(finding.found_minor, finding.currency),
    }
