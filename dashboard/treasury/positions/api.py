"""GL-29: positions per currency and provider."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from dashboard.access.guard import api_requires
from dashboard.access.permissions import Audience, Permission
from dashboard.treasury.positions.queries.summary import summary
from dashboard.treasury.positions.schemas import SummaryDto, SummaryQuery, summary_dto
from dashboard.web.api import documented_errors

TREASURY = [Tag(name="GeneralLedger - Treasury", description="Positions, for internal systems.")]

position_operations = APIBlueprint("position_operations", __name__, abp_security=[{"token": []}])


@position_operations.get(
    "/internal/TreasuryManagement/summary", tags=TREASURY, summary="Treasury positions per currency and provider",
    description="As of the end of `businessDay`, the last one that has ended. What is owed stands in items whose"
    " provider is null, what lies at a bank in items with one; currencies and pools are never netted. What is not known"
    " (a statement that has not come) is null, never 0. Before the first business day has ended the books of this"
    " moment are given. With `provider` only what lies there is given.",
    operation_id="getTreasurySummary", responses={200: SummaryDto, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TREASURY_READ)
def get_treasury_summary(query: SummaryQuery) -> dict[str, Any]:
    return summary_dto(summary(currency=query.currency, provider=query.provider))
