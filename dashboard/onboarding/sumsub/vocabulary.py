"""The words of Sumsub's webhooks (public documentation: "webhooks", "payload attributes"), and ours about them."""

from __future__ import annotations

from enum import StrEnum


class Algorithm(StrEnum):
    """What `x-payload-digest-alg` may name. One of them is pinned in the settings; the header never chooses."""

    SHA1 = "HMAC_SHA1_HEX"
    SHA256 = "HMAC_SHA256_HEX"
    SHA512 = "HMAC_SHA512_HEX"


class Source(StrEnum):
    """How an event came to us. `pull`: we asked, and wrote the answer down in the shape of an event."""

    WEBHOOK = "webhook"
    SIMULATION = "simulation"
    PULL = "pull"


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    #: the signature is missing or wrong: kept for a while, never read
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why a body was refused."""

    MISSING = "digestMissing"
    MALFORMED = "digestMalformed"
    ALGORITHM = "algorithm"
    WRONG = "digestWrong"


class EventEffect(StrEnum):
    """What became of an accepted event. None while it waits to be processed."""

    #: it is what the applicant's state rests on, or was when it came
    APPLIED = "applied"
    #: a newer event stood already
    OUT_OF_DATE = "outOfDate"
    #: it says nothing of the applicant's state
    NOTED = "noted"
    #: the same message in other bytes
    DUPLICATE = "duplicate"
    #: no client of ours is meant, so far
    UNKNOWN_CLIENT = "unknownClient"
    #: the applicant is somebody within a company that is verified
    MEMBER = "member"
    #: from Sumsub's sandbox, which counts for nothing in production
    SANDBOX = "sandbox"
    #: signed, and not to be read
    UNREADABLE = "unreadable"


class Type(StrEnum):
    """Types that mean something to us. The list of Sumsub grows: what is not here is kept and noted."""

    CREATED = "applicantCreated"
    PENDING = "applicantPending"
    PRECHECKED = "applicantPrechecked"
    REVIEWED = "applicantReviewed"
    ON_HOLD = "applicantOnHold"
    AWAITING_SERVICE = "applicantAwaitingService"
    AWAITING_USER = "applicantAwaitingUser"
    PERSONAL_INFO_CHANGED = "applicantPersonalInfoChanged"
    TAGS_CHANGED = "applicantTagsChanged"
    LEVEL_CHANGED = "applicantLevelChanged"
    ACTIVATED = "applicantActivated"
    DEACTIVATED = "applicantDeactivated"
    RESET = "applicantReset"
    DELETED = "applicantDeleted"
    PERSONAL_DATA_DELETED = "applicantPersonalDataDeleted"
    WORKFLOW_COMPLETED = "applicantWorkflowCompleted"
    WORKFLOW_FAILED = "applicantWorkflowFailed"
    #: ours: the answer to a question about an applicant's status
    STATUS_PULLED = "applicantStatusPulled"


QUEUE = "verification"


class DoubtCause(StrEnum):
    """Why an event waits for a person in the queue of verification doubts."""

    UNKNOWN_CLIENT = "unknownClient"
    SANDBOX = "sandboxInProduction"
    UNREADABLE = "unreadable"
    #: RED FINAL on an active client
    FINAL_ON_ACTIVE = "rejectedWhileActive"
    #: RED FINAL, told of an active client after something newer
    FINAL_LATE = "rejectedOutOfDate"
    #: told for a time that has not come
    AHEAD = "aheadOfTime"
    #: approved after RED FINAL, without a new start between
    GREEN_AFTER_FINAL = "approvedAfterRejection"
    #: an active client whose approval was withdrawn, reset or asked again
    WITHDRAWN_ON_ACTIVE = "notApprovedWhileActive"
    HELD_BACK = "approvedHeldBack"
    #: the same operation told twice with different content
    CONTRADICTION = "contradiction"
    #: processing failed again and again
    FAILED = "processingFailed"
