"""What became of an event, as a badge and in words."""

from __future__ import annotations

from dashboard.clients.badges import Badge
from dashboard.clients.models import VerificationDecision
from dashboard.clients.vocabulary import KycEffect, KycState
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.onboarding.sumsub.queries import REFUSED, WAITING
from dashboard.onboarding.sumsub.vocabulary import DoubtCause, EventEffect, Refusal, Source, Verdict

STATES: dict[str, Badge] = {
    WAITING: Badge("info", "Waiting"),
    EventEffect.APPLIED.value: Badge("ok", "Applied"),
    EventEffect.OUT_OF_DATE.value: Badge("neutral", "Out of date"),
    EventEffect.NOTED.value: Badge("neutral", "Noted"),
    EventEffect.DUPLICATE.value: Badge("neutral", "Duplicate"),
    EventEffect.UNKNOWN_CLIENT.value: Badge("wait", "No client"),
    EventEffect.MEMBER.value: Badge("neutral", "Within a company"),
    EventEffect.SANDBOX.value: Badge("stop", "Sandbox"),
    EventEffect.UNREADABLE.value: Badge("stop", "Unreadable"),
    REFUSED: Badge("stop", "Refused"),
}
EXPLAINED = {
    WAITING: "It is processed in a moment.",
    EventEffect.APPLIED.value: "Processed in the order of Sumsub's times.",
    EventEffect.OUT_OF_DATE.value: "A newer event stood already when it came. It changed nothing.",
    EventEffect.NOTED.value: "It says nothing of the applicant's state.",
    EventEffect.DUPLICATE.value: "It says the same as another event, in other bytes.",
    EventEffect.UNKNOWN_CLIENT.value: "No client has the id that it names. It is taken up when the client comes.",
    EventEffect.MEMBER.value: "The applicant belongs to a company that is verified, and is no client.",
    EventEffect.SANDBOX.value: "It comes from Sumsub's sandbox, which counts for nothing in production.",
    EventEffect.UNREADABLE.value: "It is signed, and cannot be read.",
    REFUSED: "Nobody signed it as agreed. It was never read.",
}
#: a replay, by the state of its work
REPLAYS = {
    "queued": Badge("info", "Waiting"), "running": Badge("info", "Running"), "succeeded": Badge("ok", "Done"),
    "failed": Badge("stop", "Failed"), "canceled": Badge("neutral", "Canceled"),
}  # fmt: skip
SOURCES = {Source.WEBHOOK.value: "Webhook", Source.SIMULATION.value: "Simulation", Source.PULL.value: "Asked by us"}
REFUSALS = {
    Refusal.MISSING.value: "no digest was sent",
    Refusal.MALFORMED.value: "the digest is no lower-case hex",
    Refusal.ALGORITHM.value: "another algorithm than the one agreed on",
    Refusal.WRONG.value: "the digest does not fit the body",
}
#: what an event was, in words
TYPES = {
    "applicantCreated": "Applicant created",
    "applicantPending": "Handed in for review",
    "applicantPrechecked": "Checked by machine",
    "applicantReviewed": "Reviewed",
    "applicantOnHold": "On hold",
    "applicantAwaitingService": "Waits for a service",
    "applicantAwaitingUser": "Waits for the applicant",
    "applicantPersonalInfoChanged": "Personal data changed",
    "applicantTagsChanged": "Tags changed",
    "applicantLevelChanged": "Level changed",
    "applicantActivated": "Applicant activated",
    "applicantDeactivated": "Applicant deactivated",
    "applicantReset": "Reset",
    "applicantDeleted": "Applicant deleted",
    "applicantPersonalDataDeleted": "Personal data erased there",
    "applicantWorkflowCompleted": "Workflow completed",
    "applicantWorkflowFailed": "Workflow failed",
    "applicantStatusPulled": "Status asked for",
}
#: what an outcome did to the client
EFFECTS = {
    KycEffect.ACTIVATED: "Client activated",
    KycEffect.BLOCKED: "Debits of the client blocked",
    KycEffect.KEPT_INACTIVE: "Client stays inactive, a flag was raised",
    KycEffect.HELD_BACK: "Activation held back",
    KycEffect.NOTHING: "Nothing to do",
    KycEffect.OUT_OF_DATE: "Out of date: nothing changed",
}
OUTCOMES = {
    KycState.APPROVED: "Approved",
    KycState.REJECTED: "Rejected for good",
    KycState.RETRY: "Asked again",
    KycState.WITHDRAWN: "Withdrawn",
}
DOUBTS = {
    DoubtCause.UNKNOWN_CLIENT: ("No client has this id", "Find out whose applicant it is, or wait for the client."),
    DoubtCause.SANDBOX: ("From a sandbox", "Ask who points Sumsub's sandbox at production."),
    DoubtCause.UNREADABLE: ("It cannot be read", "Look at the body; ask Sumsub what it is."),
    DoubtCause.FINAL_ON_ACTIVE: ("RED FINAL on an active client", "Debits are blocked. Decide what becomes of it."),
    DoubtCause.FINAL_LATE: ("RED FINAL, out of date, on an active client", "Make sure at Sumsub that it is."),
    DoubtCause.AHEAD: ("From a time that has not come", "Ask who sent it; it approves nobody."),
    DoubtCause.GREEN_AFTER_FINAL: ("GREEN after RED FINAL", "Ask Sumsub why it changed its mind."),
    DoubtCause.WITHDRAWN_ON_ACTIVE: ("Active, and no longer approved", "Decide whether the client may go on."),
    DoubtCause.HELD_BACK: ("Approved, and held back", "Settle what stands in the way, then process it again."),
    DoubtCause.CONTRADICTION: ("Sumsub contradicts itself", "Compare the events of this operation; ask Sumsub."),
    DoubtCause.FAILED: ("Processing failed again and again", "The log says why; then process it again."),
}


def state_of(event: SumsubEvent) -> str:
    if event.verdict == Verdict.REFUSED:
        return REFUSED
    return event.effect or WAITING


def type_in_words(kind: str | None) -> str:
    """What an event was; a type that is not known here keeps its own name."""
    return TYPES.get(kind, kind) if kind else "Without a type"


def answer_in_words(event: SumsubEvent) -> str:
    """`RED FINAL`, `GREEN`; empty without one. GREEN beside anything but completed says that it is none."""
    if not event.answer:
        return ""
    words = " ".join(part for part in (event.answer, event.reject_type) if part)
    if event.review_status != "completed":
        return f"{words}, not completed"
    return words


def decision_in_words(decision: VerificationDecision) -> str:
    outcome, effect = OUTCOMES[KycState(decision.outcome)], EFFECTS[KycEffect(decision.effect)]
    return f"{outcome}: {effect[:1].lower()}{effect[1:]}" + (f". {decision.why}" if decision.why else "")
