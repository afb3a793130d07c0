"""What the house earns on an exchange: a default, and what was agreed with a client."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clients.models import Client
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, NotFound
from dashboard.transfers.models import FxMargin

HIGHEST = 2_000
LONGEST_REASON = 500
_LOCK = 0x66786D


def margin_for(client_id: UUID) -> int:
    """Basis points of the sold amount: the client's own, else the default, else none."""
    found = session().scalar(
        sa.select(FxMargin.basis_points)
        .where(FxMargin.of(client_id, None))
        .order_by(FxMargin.client_id.is_(None))
        .limit(1)
    )
    return found or 0


def set_margin(client_id: UUID | None, basis_points: int | None, *, reason: str, by: Actor) -> None:
    """Agree a margin with a client, or change the default (no client). None: the default counts for the client again.

    Quotes that stand keep theirs. Raises Invalid, NotFound `clientNotFound`, Forbidden.
    """
    by.require(Permission.RATES_WRITE)
    why, errors = reason.strip(), []
    if not why:
        errors.append(FieldError("reason", "Say why.", "required"))
    elif len(why) > LONGEST_REASON:
        errors.append(FieldError("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong"))
    if basis_points is None and client_id is None:
        errors.append(FieldError("basisPoints", "The default needs a number.", "required"))
    if basis_points is not None and not 0 <= basis_points <= HIGHEST:
        errors.append(FieldError("basisPoints", f"A margin lies between 0 and {HIGHEST:,} basis points.", "range"))
    if errors:
        raise Invalid(errors)
    if client_id is not None and session().get(Client, client_id) is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    # one change after the other: there may be no row yet to lock
    session().execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    known = session().scalar(
        sa.select(FxMargin).where(FxMargin.of(client_id)).execution_options(populate_existing=True)
    )
    before = known.basis_points if known else None
    if before == basis_points:
        return
    if basis_points is None:
        session().delete(known)
    elif known is None:
        session().add(FxMargin(id=new_id(), client_id=client_id, basis_points=basis_points, changed_at=clock.now()))
    else:
        known.basis_points, known.changed_at = basis_points, clock.now()
    session().flush()
    audit.record(
        "fx.margin_changed", by=by, object_type="fx_margin", object_id=client_id, client_id=client_id,
        before={"basisPoints": before}, after={"basisPoints": basis_points}, reason=why,
    )  # fmt: skip
