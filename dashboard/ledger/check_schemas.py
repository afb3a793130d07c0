"""Balance checks as machines ask for them and read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.background.models import BackgroundJob
from dashboard.ledger.schemas import Currency, Identifier, OptionalBody
from dashboard.ledger.services.checking import MOST_CHOSEN, Difference, Recalculated
from dashboard.money import Money
from dashboard.web.api import Answer, Body, TextGuard, examples
from dashboard.web.json import iso_utc


def _shown(**named: tuple[str, Any]) -> ConfigDict:
    return ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"required": False, "examples": examples(**named)},  # type: ignore[typeddict-unknown-key]
    )


class RecalculateBody(OptionalBody):
    """GL-04."""

    model_config = _shown(all=("All accounts", {}))

    account_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_CHOSEN)] | None = Field(
        None, description="All accounts when left out."
    )


class CheckBody(OptionalBody):
    """GL-22."""

    model_config = _shown(
        touched=("What moved since the last look", {"scope": "touched"}), full=("All accounts", {"scope": "full"})
    )

    scope: Annotated[Literal["touched", "full"], TextGuard] = Field(
        "touched", description="touched: accounts that money moved on since the last look; full: all."
    )


class JobPath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    job_id: UUID


class StoredDto(Answer):
    posted: float
    held: float


class DifferenceDto(Answer):
    account_id: UUID
    account_number: str
    currency: Currency
    stored: StoredDto
    rebuilt: StoredDto = Field(description="What the transactions say.")
    finding_id: UUID = Field(description="The open finding; a second person lets the rebuilt balance stand.")


class JobDto(Answer):
    job_id: UUID
    job: Literal["AccountBalanceCheckJob"]
    scope: Literal["touched", "full"]
    state: Literal["queued", "running", "succeeded", "failed", "canceled"]
    done: int = Field(description="Accounts looked at so far.")
    total: int | None = Field(description="Accounts to look at; null before it is known.")
    accounts: int | None = Field(description="Accounts looked at; null until the job has succeeded.")
    differences: int | None = Field(description="Differences among them; null until the job has succeeded.")
    failure: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None


class RecalculatedDto(Answer):
    check_id: UUID | None = Field(description="The check that was made; null while it is background work.")
    accounts: int | None = Field(description="Accounts looked at; null while it is background work.")
    differences: list[DifferenceDto] | None = Field(description="Null while it is background work.")
    job: JobDto | None = Field(description="The background job of a larger ledger, else null.")


def job_dto(job: BackgroundJob) -> dict[str, Any]:
    """A balance check as background work; figures only once all was looked at."""
    result = (job.result or {}) if job.state == "succeeded" else {}
    return {
        "jobId": str(job.id),
        "job": "AccountBalanceCheckJob",
        "scope": job.arguments["scope"],
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "accounts": result.get("accounts"),
        "differences": result.get("differences"),
        "failure": job.failure,
        "created": iso_utc(job.asked_at),
        "started": iso_utc(job.started_at) if job.started_at else None,
        "finished": iso_utc(job.finished_at) if job.finished_at else None,
    }


def _difference_dto(difference: Difference) -> dict[str, Any]:
    found = difference.compared

    def amounts(posted: int, held: int) -> dict[str, Any]:
        return {"posted": Money(posted, found.currency).amount, "held": Money(held, found.currency).amount}

    return {
        "accountId": str(found.account_id),
        "accountNumber": found.number,
        "currency": found.currency,
        "stored": amounts(found.stored.posted, found.stored.held),
        "rebuilt": amounts(found.rebuilt.posted, found.rebuilt.held),
        "findingId": str(difference.finding_id),
    }


def recalculated_dto(done: Recalculated | BackgroundJob) -> dict[str, Any]:
    """What was found at once, or the job that looks."""
    if isinstance(done, BackgroundJob):
        return {"checkId": None, "accounts": None, "differences": None, "job": job_dto(done)}
    return {
        "checkId": str(done.check_id),
        "accounts": done.accounts,
        "differences": [_difference_dto(difference) for difference in done.differences],
        "job": None,
    }
