"""Sealing the secrets of second factors anew under the newest key, so that an old key can be dropped.

The application's role may not change a secret (`second_factor_goes_forward`): whoever owns the tables does, as for a
migration. Row by row, so that nobody who signs in meanwhile waits for more than one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.staff import sealing
from dashboard.staff.models import SecondFactor

#: of secrets that no key opens
UNREADABLE = "unreadable"


@dataclass
class Counted:
    """Secrets by the name of their key, the newest first; the last is UNREADABLE. `resealed`: how many were changed."""

    by_key: Counter[str] = field(default_factory=Counter)
    resealed: int = 0


def _found(factor_id: UUID, sealed: str) -> tuple[str, str]:
    try:
        return sealing.opened(sealed, of=factor_id)
    except sealing.Unreadable:
        return UNREADABLE, ""


def reseal(owner: sa.Engine, *, by: Actor) -> Counted:
    """Seal what is under an older key anew; gives what stands afterwards. Safe to run again and at any time.

    Each row is committed on the connection of the owner; the evidence stands in the caller's transaction.
    """
    newest, counted = sealing.key_names()[0], Counted()
    with owner.connect() as connection:
        ids = connection.scalars(sa.select(SecondFactor.id).where(SecondFactor.sealed_secret.is_not(None))).all()
        connection.commit()
        for factor_id in ids:
            with connection.begin():
                sealed = connection.scalar(
                    sa.select(SecondFactor.sealed_secret)
                    .where(SecondFactor.id == factor_id, SecondFactor.sealed_secret.is_not(None))
                    .with_for_update()
                )
                if sealed is None:
                    # it ended meanwhile, and its secret with it
                    continue
                key, secret = _found(factor_id, sealed)
                if key not in {newest, UNREADABLE}:
                    connection.execute(
                        sa.update(SecondFactor)
                        .where(SecondFactor.id == factor_id)
                        .values(sealed_secret=sealing.seal(secret, of=factor_id))
                    )
                    counted.resealed += 1
                    key = newest
                counted.by_key[key] += 1
    if counted.resealed:
        audit.record(
            "staff.factors_resealed", by=by, object_type="second_factor", object_id=None,
            after={"key": newest, "secrets": counted.resealed},
        )  # fmt: skip
    return counted
