"""The words of documents: what they are about, where they stand, why one was not accepted."""

from __future__ import annotations

from enum import StrEnum


class DocumentCategory(StrEnum):
    IDENTITY = "identity"
    ADDRESS = "proofOfAddress"
    REGISTRATION = "companyRegistration"
    FUNDS = "sourceOfFunds"
    OTHER = "other"


CATEGORY_LABELS = {
    DocumentCategory.IDENTITY: "Identity document",
    DocumentCategory.ADDRESS: "Proof of address",
    DocumentCategory.REGISTRATION: "Company registration",
    DocumentCategory.FUNDS: "Source of funds",
    DocumentCategory.OTHER: "Other",
}


class DocumentState(StrEnum):
    TO_REVIEW = "toReview"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


STATE_LABELS = {
    DocumentState.TO_REVIEW: "To review",
    DocumentState.ACCEPTED: "Accepted",
    DocumentState.REJECTED: "Rejected",
    DocumentState.EXPIRED: "Expired",
    DocumentState.WITHDRAWN: "Withdrawn",
}
STATE_ROLES = {
    DocumentState.TO_REVIEW: "wait",
    DocumentState.ACCEPTED: "ok",
    DocumentState.REJECTED: "stop",
    DocumentState.EXPIRED: "neutral",
    DocumentState.WITHDRAWN: "neutral",
}


class DocumentRejection(StrEnum):
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
    DocumentRejection.UNREADABLE: "Cannot be read",
    DocumentRejection.INCOMPLETE: "Pages or edges are missing",
    DocumentRejection.WRONG_DOCUMENT: "Another kind of document is needed",
    DocumentRejection.DIFFERS: "Differs from the profile",
    DocumentRejection.OUT_OF_DATE: "Too old, or expired",
    DocumentRejection.NOT_ACCEPTED: "Other (say in the comment)",
}


class DocumentKind(StrEnum):
    """What a file is, by its bytes."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"


KIND_LABELS = {DocumentKind.JPEG: "JPEG", DocumentKind.PNG: "PNG", DocumentKind.WEBP: "WebP", DocumentKind.PDF: "PDF"}
#: endings of names that fit; the first is what a name without one gets
ENDINGS = {
    DocumentKind.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    DocumentKind.PNG: (".png",),
    DocumentKind.WEBP: (".webp",),
    DocumentKind.PDF: (".pdf",),
}
