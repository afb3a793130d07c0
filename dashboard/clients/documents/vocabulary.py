"""The words of documents: what they are about, where they stand, why one was not accepted."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    IDENTITY = "identity"
    ADDRESS = "proofOfAddress"
    REGISTRATION = "companyRegistration"
    FUNDS = "sourceOfFunds"
    OTHER = "other"


CATEGORY_LABELS = {
    Category.IDENTITY: "Identity document",
    Category.ADDRESS: "Proof of address",
    Category.REGISTRATION: "Company registration",
    Category.FUNDS: "Source of funds",
    Category.OTHER: "Other",
}


class State(StrEnum):
    TO_REVIEW = "toReview"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


STATE_LABELS = {
    State.TO_REVIEW: "To review",
    State.ACCEPTED: "Accepted",
    State.REJECTED: "Rejected",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
}
STATE_ROLES = {
    State.TO_REVIEW: "wait", State.ACCEPTED: "ok", State.REJECTED: "stop", State.EXPIRED: "neutral",
    State.WITHDRAWN: "neutral",
}  # fmt: skip


class Rejection(StrEnum):
    """Why a document was not accepted, in words that may be told to the client (AMLR Art. 73: none tells a suspicion).

    What staff saw beyond that stands in the comment, which is restricted.
    """

    UNREADABLE = "unreadable"
    INCOMPLETE = "incomplete"
    WRONG_DOCUMENT = "wrongDocument"
    DIFFERS = "differsFromProfile"
    OUT_OF_DATE = "outOfDate"
    NOT_ACCEPTED = "notAccepted"


REJECTION_LABELS = {
    Rejection.UNREADABLE: "Cannot be read",
    Rejection.INCOMPLETE: "Pages or edges are missing",
    Rejection.WRONG_DOCUMENT: "Another kind of document is needed",
    Rejection.DIFFERS: "Differs from the profile",
    Rejection.OUT_OF_DATE: "Too old, or expired",
    Rejection.NOT_ACCEPTED: "Not accepted",
}


class Kind(StrEnum):
    """What a file is, by its bytes."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"


KIND_LABELS = {Kind.JPEG: "JPEG", Kind.PNG: "PNG", Kind.WEBP: "WebP", Kind.PDF: "PDF"}
#: endings of names that fit; the first is what a name without one gets
ENDINGS = {
    Kind.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    Kind.PNG: (".png",),
    Kind.WEBP: (".webp",),
    Kind.PDF: (".pdf",),
}
