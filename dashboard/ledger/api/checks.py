"""GL-04 and GL-22: stored balances against the transactions."""

from __future__ import annotations

from typing import Any

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.background import queries as background
from dashboard.background.models import BackgroundJob
from dashboard.database import transaction
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.check_schemas import (
    CheckBody,
    JobDto,
    JobPath,
    RecalculateBody,
    RecalculatedDto,
    job_dto,
    recalculated_dto,
)
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from dashboard.web.api import documented_errors


@ledger_operations.post(
    "/v2/internal/Accounts/recalculate", tags=SYSTEM,
    summary="Rebuild stored balances from the transactions and report differences",
    description="Nothing is overwritten: a difference opens a finding, and a second person lets the rebuilt balance"
    " stand. Given accounts (up to 1,000) are looked at now, at one moment. Without them all accounts are: at once in a"
    " ledger of up to 1,000 accounts, else by the background job that `job` names (202).",
    operation_id="recalculateBalances",
    responses={200: RecalculatedDto, 202: RecalculatedDto, **documented_errors(404, 409, 413, 415)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_OPERATE)
def recalculate_balances(body: RecalculateBody) -> tuple[dict[str, Any], int]:
    by = current_actor()
    with transaction():
        done = (
            checking.recalculate_all(by=by)
            if body.account_ids is None
            else checking.recalculate(body.account_ids, by=by)
        )
        return recalculated_dto(done), 202 if isinstance(done, BackgroundJob) else 200


@ledger_operations.post(
    "/internal/BackgroundJob/AccountBalanceCheckJob", tags=SYSTEM, summary="Start the balance check job",
    description="While one is queued or running, it is the answer: `scope` tells which. Follow it at"
    " GET /internal/BackgroundJob/{jobId}.",
    operation_id="startBalanceCheck", responses={200: JobDto, **documented_errors(409, 413, 415)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_OPERATE)
def start_balance_check(body: CheckBody) -> dict[str, Any]:
    with transaction():
        return job_dto(checking.ask_to_check(CheckScope(body.scope), by=current_actor()))


@ledger_operations.get(
    "/internal/BackgroundJob/<uuid:jobId>", tags=SYSTEM, summary="Balance check job by identifier, with its progress",
    description="An addition to the documented operations.", operation_id="readBalanceCheck",
    responses={200: JobDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def read_balance_check(path: JobPath) -> dict[str, Any]:
    return job_dto(background.get(path.job_id, kind=checking.CHECK))
