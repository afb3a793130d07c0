"""Bodies and answers of the operations about Sumsub."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dashboard.web.api import Answer, Body, NoControl, TextGuard, examples

Name = Annotated[str, Field(min_length=1, max_length=200), TextGuard, NoControl]
Comment = Annotated[str, Field(max_length=2000), TextGuard, NoControl]


class ReviewAnswer(StrEnum):
    GREEN = "GREEN"
    RED = "RED"


class RejectType(StrEnum):
    FINAL = "FINAL"
    RETRY = "RETRY"


class Kept(Answer):
    """What became of the body: `kept`, or `known` where the same had come before."""

    status: Literal["kept", "known"]
    event_id: UUID


_CLIENT = "0198f0a2-7c1e-7b8e-9d55-2f6f2f1f0a11"
_GREEN = {"externalUserId": _CLIENT, "reviewAnswer": "GREEN"}
_RED = {
    "externalUserId": _CLIENT,
    "reviewAnswer": "RED",
    "reviewRejectType": "RETRY",
    "rejectLabels": ["UNSATISFACTORY_PHOTOS"],
    "moderationComment": "Please upload the document again, in colour.",
    "clientComment": "A copy in black and white.",
}


class Simulation(Body):
    """The review that Sumsub is to have made. Only RED says why."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(green=("Approved", _GREEN), red=("Asked again", _RED))
        },
    )

    external_user_id: Name = Field(description="The client's id.")
    review_answer: ReviewAnswer
    review_reject_type: RejectType | None = None
    reject_labels: Annotated[list[Name], Field(max_length=50)] | None = None
    moderation_comment: Comment | None = Field(None, description="May be shown to the applicant.")
    client_comment: Comment | None = Field(None, description="Must not be shown to the applicant.")

    @model_validator(mode="after")
    def _only_red_says_why(self) -> Simulation:
        if self.review_answer is ReviewAnswer.GREEN and (self.review_reject_type or self.reject_labels):
            raise ValueError("reviewRejectType and rejectLabels belong to RED")
        return self

    def as_review(self) -> dict[str, Any]:
        """`reviewResult` as Sumsub writes it: what is not said is left out."""
        said = {
            "reviewAnswer": self.review_answer.value,
            "reviewRejectType": self.review_reject_type.value if self.review_reject_type else None,
            "rejectLabels": self.reject_labels or None,
            "moderationComment": self.moderation_comment or None,
            "clientComment": self.client_comment or None,
        }
        return {name: value for name, value in said.items() if value is not None}


class Review(Answer):
    review_answer: ReviewAnswer
    review_reject_type: RejectType | None = None
    reject_labels: list[str] | None = None
    moderation_comment: str | None = None
    client_comment: str | None = None


class Simulated(Answer):
    """The event as delivered."""

    applicant_id: str
    inspection_id: str
    applicant_type: str
    correlation_id: str
    level_name: str
    external_user_id: str
    type: str
    sandbox_mode: bool
    review_status: str
    review_result: Review
    created_at_ms: str
    client_id: str
