"""What providers call when something became of a transfer, or when money came in.

Not for token holders, so not in the API document: the signature of the raw body is what lets a caller in. A message is
stored word for word in the transaction that applies it; the same one again is answered and changes nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import simplejson
import sqlalchemy as sa
from flask import current_app, jsonify, request
from pydantic import BaseModel, Field
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.guard import Unauthenticated, public
from dashboard.database import new_id, session, transaction
from dashboard.errors import Invalid, NotFound
from dashboard.settings import Settings
from dashboard.transfers.api.blueprint import SYSTEM, transfer_operations
from dashboard.transfers.models import Provider, ProviderMessage
from dashboard.transfers.providers.sandbox import client, signing
from dashboard.transfers.services.incoming import receiving
from dashboard.transfers.services.outgoing import results
from dashboard.web import limits
from dashboard.web.api import takes_bodies_of

LARGEST = 64 * 1024


class ProviderPath(BaseModel):
    provider: str = Field(max_length=50)


@transfer_operations.post(
    "/internal/ProviderCallbacks/<provider>", tags=SYSTEM, summary="A provider tells", operation_id="providerCallback",
    doc_ui=False,
)  # fmt: skip
@public("signed body")
@takes_bodies_of(LARGEST)
def provider_callback(path: ProviderPath) -> Any:
    """Raises NotFound `providerNotFound`, Unauthenticated, TooMany, Invalid."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    body = request.get_data(cache=True)
    with transaction():
        provider = session().get(Provider, path.provider)
    if provider is None or provider.kind != "sandbox":
        raise NotFound("There is no such provider.", code="providerNotFound")
    if not signing.is_signed(settings.sandbox_secret, body, request.headers.get(signing.HEADER)):
        limits.count_refusal("unsigned-callback")
        raise Unauthenticated("The signature of the body is missing or wrong.")
    message = _read(body)
    by = system(f"callback {provider.key}")
    refusal = None
    with transaction():
        _require_not_told_by_another(provider.key, body)
        message_id = _stored(provider.key, message, body)
        if message_id is None:
            return jsonify({"status": "known"})
        if message.get("kind") == "credit":
            try:
                with session().begin_nested():
                    receiving.receive(
                        client.credit(message, provider=provider.key), source="sandbox", message_id=message_id, by=by
                    )
            except receiving.OwnMoney:
                # booked when it left the other bank; the message is kept, and is no receipt
                pass
            except receiving.DifferentBody as error:
                # the message is evidence all the same
                receiving.contradicted(error, credit=None, source="sandbox", by=by)
                refusal = error
            except client.Malformed:
                receiving.receive_unreadable(
                    provider=provider.key, provider_reference=str(message.get("reference") or message_id)[:90],
                    raw=message, source="sandbox", message_id=message_id, by=by,
                )  # fmt: skip
        else:
            results.report(provider.key, client.report(message), by=by)
    if refusal is not None:
        raise refusal
    return jsonify({"status": "taken"})


def _read(body: bytes) -> dict[str, Any]:
    try:
        message = simplejson.loads(body, use_decimal=True)
        if not isinstance(message, dict) or message.get("kind") not in {"credit", "instruction"}:
            raise client.Malformed("kind")
        if message["kind"] == "instruction":
            client.report(message)
    except (ValueError, client.Malformed, RecursionError):
        raise Invalid.one("body", "This is no message of this provider.", "value") from None
    return message


def _require_not_told_by_another(provider: str, body: bytes) -> None:
    """The signature does not say for whom it is: what one provider has signed is nothing that another one tells.

    Raises Unauthenticated.
    """
    others = (
        session().scalars(sa.select(Provider.key).where(Provider.kind == "sandbox", Provider.key != provider)).all()
    )
    if not others:
        return
    digest = hashlib.sha256(body).hexdigest()
    # told at both addresses at the same moment, the second waits and then sees the first
    session().execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 0))"), {"digest": digest})
    known = sa.exists().where(ProviderMessage.provider.in_(others), ProviderMessage.digest == digest)
    if session().scalar(sa.select(known)):
        raise Unauthenticated("The body was signed by another provider.")


def _stored(provider: str, message: dict[str, Any], body: bytes) -> Any:
    """The id of the stored message; None where it was told before. Who tells the same now waits for the first."""
    about = message.get("reference") if message["kind"] == "credit" else message.get("endToEndId")
    text = body.decode("utf-8", "replace").replace("\x00", "")
    return session().scalar(
        insert(ProviderMessage)
        .values(
            id=new_id(), provider=provider, direction="in", kind="callback", media_type="application/json",
            reference=str(about)[:200] if about else None, body=text, digest=hashlib.sha256(body).hexdigest(),
            at=clock.now(),
        )
        .on_conflict_do_nothing(
            index_elements=["provider", "digest"], index_where=sa.text("digest IS NOT NULL")
        )
        .returning(ProviderMessage.id)
    )  # fmt: skip
