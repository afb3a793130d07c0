"""Evidence packs: making one, and handing one out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.deciding import institution
from dashboard.treasury.positions.services import evidence
from dashboard.web.htmx import go


@treasury.post("/safeguarding/versions/<uuid:version_id>/evidence")
@requires(Permission.TREASURY_WRITE)
def make_evidence(version_id: UUID) -> Any:
    """Pack a version of a day."""
    try:
        with transaction():
            pack = evidence.make(version_id, institution=institution(), by=current_actor())
    except DomainError as refusal:
        if refusal.status == 404:
            raise
        flash(refusal.message, "stop")
    else:
        flash(f"The evidence pack is ready: {pack.size:,} bytes, SHA-256 {pack.sha256[:16]}….", "ok")
    version = session().get(TreasuryDay, version_id)
    assert version is not None  # else it was not found above
    return go(
        url_for("treasury.safeguarding", day=version.day.isoformat(), pool=version.pool, currency=version.currency)
    )


@treasury.get("/safeguarding/evidence/<uuid:pack_id>")
@requires(Permission.TREASURY_READ)
def evidence_file(pack_id: UUID) -> Response:
    """The archive itself."""
    pack, version, content = evidence.get(pack_id)
    name = f"safeguarding-{version.pool}-{version.currency}-{version.day.isoformat()}-v{version.version}.zip"
    return Response(
        content,
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
            "X-Content-SHA256": pack.sha256,
        },
    )
