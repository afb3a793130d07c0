"""GL-28: the reconciliation report."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask_openapi3 import APIBlueprint, Tag
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.access.guard import api_requires
from dashboard.access.permissions import Audience, Permission
from dashboard.treasury.matching.queries.report import report
from dashboard.treasury.matching.report_files import document
from dashboard.treasury.register import queries as register
from dashboard.web.api import Answer, Body, documented_errors

TAGS = [Tag(name="GeneralLedger - System")]
matching_operations = APIBlueprint("matching_operations", __name__, abp_security=[{"token": []}])


class ReportQuery(Body):
    """GL-28."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)

    first: date = Field(alias="from", description="First booking date of the period.")
    last: date = Field(alias="to", description="Last booking date of the period, at most 366 days later.")
    bank_account_id: UUID | None = Field(None, description="One bank account; without it all of the filters.")
    provider: str | None = Field(None, max_length=50)
    currency: str | None = Field(None, pattern="^[a-z]{3}$")


class ReportDto(Answer):
    """`items`: one report for each bank account. What is not known is null, never 0."""

    items: list[dict[str, Any]]


@matching_operations.get(
    "/internal/Reports/ReconciliationReport", tags=TAGS,
    summary="Ledger against provider statements for a period",
    description="For each bank account both balances at the beginning and the end of the period, what was matched,"
    " every break with its rows, the versions of the rules and the signatures of its days. Amounts are as the bank sees"
    " them: positive came in. `asOf` is the moment of the newest thing in the report: the same data give the same"
    " answer.",
    operation_id="reconciliationReport", responses={200: ReportDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TREASURY_READ)
def reconciliation_report(query: ReportQuery) -> dict[str, Any]:
    if query.bank_account_id is not None:
        wanted = [query.bank_account_id]
    else:
        wanted = [
            view.id
            for view in register.accounts(currency=query.currency, provider=query.provider, include_closed=True)
            if view.settlement_account_id is not None
        ]
    return {"items": [document(report(account_id, query.first, query.last)) for account_id in wanted]}
