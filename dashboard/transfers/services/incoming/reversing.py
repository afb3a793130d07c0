"""A bank takes a credit back: what was booked for it is reversed, once, whatever has become of the money since."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.services.desk import undoing
from dashboard.transfers.services.incoming import linking
from dashboard.transfers.vocabulary import Kind, RequestState


def original_of(request: IncomingRequest) -> IncomingRequest | None:
    """The booked credit that a reversal takes back; None where it was not told yet.

    Raises Refused `reversalDiffers`, `severalOriginals`, `alreadyReversed`.
    """
    named = session().scalar(
        sa.select(IncomingRequest).where(
            IncomingRequest.provider == request.provider,
            IncomingRequest.provider_reference == request.provider_reference,
            IncomingRequest.reversal.is_(False),
        )
    )
    if named is not None and named.state == RequestState.LINKED:
        named = session().get(IncomingRequest, named.linked_id)
    if named is not None and named.state == RequestState.PROCESSED:
        if (named.currency, named.amount_minor) != (request.currency, request.amount_minor):
            raise Refused("The reversal is of another amount than the credit it names.", code="reversalDiffers")
        return _not_reversed([named])[0]
    # a bank may name the parties of a reversal the other way round: who paid tells only which of several it is
    found = [
        row
        for row in linking.candidates(request, reversal=False, whoever=True)
        if row.amount_minor == request.amount_minor
    ]
    mine = linking.own(request)
    by_bank = [row for row in found if mine & linking.own(row)]
    by_payer = [row for row in found if linking.same_end_to_end(row, request)]
    by_entry = [row for row in found if linking.strong(request) & linking.strong(row)]
    likely = by_bank or by_payer or by_entry
    if not likely:
        return None
    left = _not_reversed(likely)
    if len(left) > 1:
        left = [row for row in left if row.debtor_account == request.debtor_account] or left
    if len(left) > 1:
        raise Refused("Several credits carry these references. Say which one is reversed.", code="severalOriginals")
    return left[0]


def _not_reversed(rows: list[IncomingRequest]) -> list[IncomingRequest]:
    """Raises Refused `alreadyReversed` where none is left."""
    gone = set(
        session().scalars(
            sa.select(IncomingRequest.transfer_id).where(
                IncomingRequest.transfer_id.in_([row.transfer_id for row in rows]),
                IncomingRequest.reversal,
                IncomingRequest.state == RequestState.PROCESSED.value,
            )
        )
    )
    left = [row for row in rows if row.transfer_id not in gone]
    if not left:
        raise Refused("This credit is reversed already.", code="alreadyReversed")
    return left


def require_not_reversed(request: IncomingRequest, transfer: Transfer) -> None:
    """Several tellings may have waited for one decision; the first of them ends it. Raises Refused `alreadyReversed`.
    The transfer is locked."""
    other = session().scalar(
        sa.select(IncomingRequest.id)
        .where(
            IncomingRequest.transfer_id == transfer.id,
            IncomingRequest.reversal,
            IncomingRequest.state == RequestState.PROCESSED.value,
            IncomingRequest.id != request.id,
        )
        .limit(1)
    )
    if other is not None:
        raise Refused("This credit is reversed already.", code="alreadyReversed")


def early(request: IncomingRequest) -> list[IncomingRequest]:
    """Reversals that came before this credit and may mean it, locked, oldest first.

    One that somebody works on at this moment is left to them: they wait for our references and will see the credit.
    """
    return list(
        session().scalars(
            sa.select(IncomingRequest)
            .where(
                IncomingRequest.state == RequestState.WAITING.value,
                IncomingRequest.reversal,
                IncomingRequest.transfer_id.is_(None),
                IncomingRequest.bank_account_id == request.bank_account_id,
                IncomingRequest.currency == request.currency,
                IncomingRequest.amount_minor == request.amount_minor,
                IncomingRequest.references.overlap(request.references),
            )
            .order_by(IncomingRequest.id)
            .with_for_update(skip_locked=True, key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def take_back(transfer: Transfer, *, by: Actor) -> bool:
    """Reverse what was booked for a told credit, `transfer` locked. False: people have to decide first, because the
    client has spent it, or it was sent back.

    It happened at the bank, so a freeze does not stop it. Raises Refused `notReversible`.
    """
    if transfer.kind != Kind.INCOMING:
        raise Refused("This money was a transfer of ours that came back. A person decides.", code="notReversible")
    return undoing.reverse_at_bank(transfer, by=by) == undoing.REVERSED
