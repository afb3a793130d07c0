"""ON-03, what Sumsub calls, and ON-04, which calls it the same way for trying things out.

The webhook is for nobody with a token: the signature of the raw body is what lets a caller in. It is looked at before
anything reads the body; what came is kept, and answered; what follows from it is done after (`services.processing`).
"""

from __future__ import annotations

from typing import Any

from flask import current_app, jsonify, request
from flask_openapi3 import APIBlueprint, Tag

from dashboard.access.guard import Unauthenticated, api_requires, public
from dashboard.access.permissions import Audience, Permission
from dashboard.errors import DomainError, Refused
from dashboard.onboarding.sumsub import signature, simulating
from dashboard.onboarding.sumsub.schemas import Kept, Simulated, Simulation
from dashboard.onboarding.sumsub.services import storing
from dashboard.onboarding.sumsub.vocabulary import Algorithm, Refusal, Source
from dashboard.settings import Settings
from dashboard.web import limits
from dashboard.web.api import documented_errors, reads_raw_body, takes_bodies_of

SUMSUB = [Tag(name="Onboarding - SumsubWebhooks", description="What Sumsub tells of applicants.")]
#: bytes; Sumsub's own are about one thousand
LARGEST = 256 * 1024

sumsub_operations = APIBlueprint("sumsub_operations", __name__)

_SENTENCES = {
    Refusal.MISSING: f"The header {signature.DIGEST_HEADER} is missing.",
    Refusal.MALFORMED: f"{signature.DIGEST_HEADER} must be the digest in lower-case hex.",
    Refusal.ALGORITHM: f"{signature.ALGORITHM_HEADER} names another algorithm than the one agreed on.",
    Refusal.WRONG: "The digest does not fit the body.",
}


class WebhooksOff(DomainError):
    """No secret is configured: nobody can be let in. Sumsub tells it again, once there is one."""

    status = 503
    code = "webhooksOff"


@sumsub_operations.post(
    "/integration/sumsub-webhooks/update-state",
    tags=SUMSUB,
    summary="Sumsub tells that an applicant's state changed",
    description="For Sumsub alone: `X-Payload-Digest` holds the HMAC of the raw body in lower-case hex, made with the"
    " webhook's secret; `X-Payload-Digest-Alg`, when sent, names the algorithm agreed on. The body is kept as it came"
    " and processed after the answer. The same body again, and types that nobody knows, are answered alike.",
    operation_id="sumsubWebhook",
    security=[],
    responses={200: Kept, **documented_errors(413, 503)},
)
@public("signed body")
@reads_raw_body
@takes_bodies_of(LARGEST)
def sumsub_webhook() -> Any:
    """Raises WebhooksOff, Unauthenticated, TooMany."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    if not settings.sumsub_webhook_secrets:
        raise WebhooksOff("No secret for webhooks is configured here (SUMSUB_WEBHOOK_SECRET).")
    body = request.get_data(cache=True)
    verdict = signature.check(
        body,
        request.headers.get(signature.DIGEST_HEADER),
        request.headers.get(signature.ALGORITHM_HEADER),
        secrets=settings.sumsub_webhook_secrets,
        pinned=Algorithm(settings.sumsub_digest_algorithm),
    )
    if isinstance(verdict, Refusal):
        limits.count_refusal("unsigned-webhook")
        storing.refuse(body, verdict)
        raise Unauthenticated(_SENTENCES[verdict], code=verdict.value)
    source = Source.SIMULATION if simulating.is_simulated(request.environ) else Source.WEBHOOK
    stored = storing.accept(body, source=source, secret_number=verdict)
    return jsonify({"status": "kept" if stored.fresh else "known", "eventId": stored.event_id})


@sumsub_operations.post(
    "/integration/sumsub-webhooks/simulate",
    tags=SUMSUB,
    summary="Simulate a verification response (not in production)",
    description="Builds an `applicantReviewed` event, signs it and delivers it to the webhook's own door. The answer is"
    " the event as delivered. In production it is refused with 422 `notInProduction`.",
    operation_id="simulateVerification",
    security=[{"token": []}],
    responses={200: Simulated, **documented_errors(422, 503)},
)
@api_requires(Audience.INTEGRATION, Permission.VERIFICATION_SIMULATE)
def simulate(body: Simulation) -> Any:
    """Raises Refused `notInProduction`, WebhooksOff."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    if settings.production:
        raise Refused("Verifications are not simulated in production.", code="notInProduction")
    if not settings.sumsub_webhook_secrets:
        raise WebhooksOff("No secret for webhooks is configured here (SUMSUB_WEBHOOK_SECRET).")
    event = simulating.event_of(body.as_review(), external_user_id=body.external_user_id)
    simulating.deliver(event, settings, address=request.path.rpartition("/")[0] + "/update-state")
    return jsonify(event)
