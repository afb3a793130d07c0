"""Approved movements leave as payment files, through the outbox folder of their bank.

In one transaction the file is staged, planned and written down, and the movement is booked; only then is the file
published. Whoever ends in between leaves either nothing at all, or a planned file that this or the transfers' worker
publishes at its next look: a movement never leaves twice, and never without being booked.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from schwifty import IBAN

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.settings import Settings
from dashboard.transfers.models import Provider, ProviderFile
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.iso20022 import payments as pain
from dashboard.transfers.providers.port import Instruction, NotSent
from dashboard.transfers.providers.registry import connected
from dashboard.transfers.services import sending
from dashboard.transfers.vocabulary import TransferType
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting, leaving
from dashboard.treasury.movements.vocabulary import KIND_LABELS, MovementKind, MovementState, Way

#: movements that one look takes up
MOST = 100
#: a planned file that is not out after so long was left behind by somebody who ended
LEFT_BEHIND = timedelta(seconds=10)
LONGEST_PROBLEM = 300


def send_due(settings: Settings, *, by: Actor) -> dict[str, int]:
    """Send what is approved, and publish what was left behind. Opens its own transactions; one that cannot leave says
    why and keeps nobody else waiting. Safe to run several times at once."""
    sent = failed = 0
    with transaction():
        due = _due()
    for movement_id in due:
        try:
            sent += _send(settings, movement_id, by=by)
        except (DomainError, NotSent, pain.NotWritable) as error:
            session().rollback()
            _say(movement_id, error.message if isinstance(error, DomainError) else str(error))
            failed += 1
    return {"sent": sent, "failed": failed, "published": _publish_left_behind(settings)}


def _due() -> list[UUID]:
    return list(
        session().scalars(
            sa.select(OwnMovement.id)
            .where(OwnMovement.state == MovementState.APPROVED.value, OwnMovement.way == Way.FILE.value)
            .order_by(OwnMovement.id)
            .limit(MOST)
        )
    )


def _gateway(settings: Settings, provider_key: str) -> Files:
    row = session().get(Provider, provider_key)
    found = connected(row, settings) if row is not None and row.kind == fitting.FILES and row.active else None
    if not isinstance(found, Files):
        raise NotSent(f"{provider_key} takes no payment files now.")
    return found


def _send(settings: Settings, movement_id: UUID, *, by: Actor) -> bool:
    with transaction():
        movement = session().scalar(
            sa.select(OwnMovement)
            .where(OwnMovement.id == movement_id, OwnMovement.state == MovementState.APPROVED.value)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        if movement is None:
            # canceled, or sent by somebody else at this very moment
            return False
        gives, takes = fitting.sides(movement)
        gateway = _gateway(settings, gives.provider)
        digest = hashlib.sha256(movement.id.bytes).hexdigest()[:20].upper()
        identifier = pain.message_id(gateway.key, digest)
        instruction = Instruction(
            transfer_id=movement.id, end_to_end_id=movement.reference, type=_rails(movement.currency, gives.number,
            takes.number), currency=movement.currency, amount_minor=movement.amount_minor,
            debtor_name=settings.institution_name, debtor_account=gives.number,
            creditor_name=settings.institution_name, creditor_account=takes.number, creditor_bic=_bic(takes.number),
            creditor_country=None, remittance=f"{KIND_LABELS[MovementKind(movement.kind)]} {movement.reference}",
            requested_on=clock.calendar().today(),
        )  # fmt: skip
        debtor = pain.Debtor(settings.institution_name, gives.number, gives.currency, _bic(gives.number))
        content = pain.message(identifier, clock.now(), debtor, [instruction])
        name = f"{identifier}.xml"
        file = sending.plan_file(
            gateway.key, name=name, message_id=identifier, format=pain.FORMAT,
            sha256=hashlib.sha256(content).hexdigest(), size=len(content), transfer_ids=[], lease=movement.id,
        )  # fmt: skip
        file.entries = 1
        sending.keep_message(
            gateway.key, direction="out", kind=pain.FORMAT, body=content.decode(), media_type="application/xml",
            reference=movement.reference, file_id=file.id,
        )  # fmt: skip
        leaving.leave(movement, file_id=file.id, by=by)
        # last: what is staged and not planned is swept away, what is planned and not staged never leaves
        gateway.stage(name, content)
    gateway.publish(name)
    with transaction():
        sending.published(file.id)
    return True


def _publish_left_behind(settings: Settings) -> int:
    """Files of movements that were planned and of which nobody wrote that they are out."""
    with transaction():
        planned = session().execute(
            sa.select(ProviderFile.id, ProviderFile.provider, ProviderFile.name)
            .join(OwnMovement, OwnMovement.file_id == ProviderFile.id)
            .where(
                OwnMovement.state == MovementState.SENT.value,
                ProviderFile.state == "reading",
                ProviderFile.created_at <= clock.now() - LEFT_BEHIND,
            )
            .limit(MOST)
        ).all()  # fmt: skip
        gateways = {row.provider: connected(session().get_one(Provider, row.provider), settings) for row in planned}
    done = 0
    for row in planned:
        gateway = gateways[row.provider]
        if isinstance(gateway, Files):
            # where it is not staged any more it was published, and perhaps fetched
            gateway.publish(row.name)
            with transaction():
                sending.published(row.id)
            done += 1
    return done


def _say(movement_id: UUID, problem: str) -> None:
    with transaction():
        session().execute(
            sa.update(OwnMovement)
            .where(OwnMovement.id == movement_id, OwnMovement.state == MovementState.APPROVED.value)
            .values(problem=problem[:LONGEST_PROBLEM])
            .execution_options(synchronize_session=False)
        )


def _rails(currency: str, *account_numbers: str) -> TransferType:
    sepa = currency == "eur" and all(IBAN(each, allow_invalid=True).is_valid for each in account_numbers)
    return TransferType.SEPA if sepa else TransferType.SWIFT


def _bic(number: str) -> str | None:
    found = IBAN(number, allow_invalid=True)
    return str(found.bic) if found.is_valid and found.bic else None
