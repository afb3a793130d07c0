"""Making an event as Sumsub would, and bringing it to our own door: the same request, signature and answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import current_app
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from dashboard import clock
from dashboard.clients.models import Client
from dashboard.database import new_id, session
from dashboard.onboarding.sumsub import queries, signature
from dashboard.onboarding.sumsub.vocabulary import Algorithm, Type
from dashboard.settings import Settings

#: in the environment of the request, where no header from outside can put it
_MARK = "countinghouse.simulated"
LEVEL = "simulated-level"


def is_simulated(environ: Mapping[str, Any]) -> bool:
    return bool(environ.get(_MARK))


def event_of(review: Mapping[str, Any], *, external_user_id: str) -> dict[str, Any]:
    """`applicantReviewed` for the applicant that the client has, or one made up from its id."""
    made_up = hashlib.sha256(f"applicant {external_user_id.lower()}".encode()).hexdigest()[:24]
    applicant_id = queries.newest_applicant_of(external_user_id) or made_up
    moment = clock.now()
    return {
        "applicantId": applicant_id,
        "inspectionId": hashlib.sha256(f"inspection {applicant_id}".encode()).hexdigest()[:24],
        "applicantType": _type_of(external_user_id),
        "correlationId": f"req-{new_id()}",
        "levelName": LEVEL,
        "externalUserId": external_user_id,
        "type": Type.REVIEWED.value,
        "sandboxMode": True,
        "reviewStatus": "completed",
        "reviewResult": dict(review),
        "createdAtMs": f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}",
        "clientId": "countinghouse-simulation",
    }


def _type_of(external_user_id: str) -> str:
    try:
        client = session().get(Client, UUID(external_user_id))
    except ValueError:
        client = None
    return client.type if client is not None else "individual"


def deliver(event: Mapping[str, Any], settings: Settings, *, address: str) -> None:
    """Through the whole application, as if it had come over the line. Raises RuntimeError where it was not taken."""
    body = json.dumps(event, ensure_ascii=False).encode()
    algorithm = Algorithm(settings.sumsub_digest_algorithm)
    headers: Headers = Headers(
        {
            signature.DIGEST_HEADER: signature.sign(settings.sumsub_webhook_secrets[0], body, algorithm),
            signature.ALGORITHM_HEADER: algorithm.value,
        }
    )
    environ = EnvironBuilder(
        path=address, method="POST", data=body, content_type="application/json",
        base_url=f"{'https' if settings.secure_cookies else 'http'}://localhost/",
        headers=headers,
    ).get_environ()  # fmt: skip
    environ[_MARK] = True
    # a context of its own: what the request puts aside is not ours, and its transaction neither
    with current_app.app_context():
        chunks, status, _headers = run_wsgi_app(current_app.wsgi_app, environ, buffered=True)
        b"".join(chunks)
    if not status.startswith("200"):
        raise RuntimeError(f"the webhook's own door answered {status}")
