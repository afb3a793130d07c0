"""What machines say about documents: CP-09 to CP-12. No body of theirs is documented; the conventions hold."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from flask_openapi3 import FileStorage
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from werkzeug.datastructures import FileStorage as UploadedFile

from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind, DocumentRejection, DocumentState
from dashboard.clients.schemas import Day, Paragraph, _OptionalBody
from dashboard.web.api import Answer, Body, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Listed, Truth, Unset, Whole


class DocumentPath(Body):
    client_id: UUID
    document_id: UUID


def _is_a_file(value: Any) -> Any:
    """A field of the same name that is only text is none."""
    if not isinstance(value, UploadedFile):
        raise ValueError("must be a file: a part with a file name")
    return value


class UploadForm(Body):
    """multipart/form-data."""

    file: Annotated[FileStorage, AfterValidator(_is_a_file)] = Field(
        description="JPEG, PNG, WebP or PDF, judged by its bytes. The name is shown to people; a name with a path or"
        " with characters that cannot be seen is refused."
    )
    category: DocumentCategory = Field(default=DocumentCategory.OTHER, description="What it is about.")
    expiry_date: Annotated[Day | None, Unset] = Field(
        default=None,
        description="The last day on which it counts. An identity document without one takes the profile's.",
    )


class WithdrawBody(_OptionalBody):
    """Why; may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                reason=("A reason for the file", {"reason": "Uploaded for another client."}), nothing=("No reason", {})
            ),
        },
    )

    reason: Paragraph | None = None


class ClientDocumentQuery(Body):
    """Filters combine; a list may be repeated or comma separated."""

    status: Annotated[list[DocumentState], Listed] = Field(default_factory=list)
    category: Annotated[list[DocumentCategory], Listed] = Field(default_factory=list)
    include_withdrawn: Annotated[bool, Truth] = Field(
        default=False, description="Withdrawn ones too; they are left out otherwise, unless `status` names them."
    )
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Field(max_length=2000)] = Field(default="", description="`nextCursor` of the page before.")
    include_total: Annotated[bool, Truth] = Field(default=False, description="Adds `totalCount`.")


class ClientDocumentDto(Answer):
    id: UUID
    client_id: UUID
    file_name: str
    category: DocumentCategory
    media_type: DocumentKind = Field(description="By the bytes of the file.")
    size: int = Field(description="In bytes.")
    pages: int
    sha256: str = Field(description="Of the content, in hexadecimal digits.")
    status: DocumentState
    expiry_date: date | None = Field(description="The last day on which it counts; null: it does not expire.")
    rejection_reason: DocumentRejection | None = Field(description="Of a rejected one; may be told to the client.")
    decided: str | None = Field(description="When it got its status; null while it waits for its review.")
    created: str
    keep_until: date | None = Field(description="The last day of retention; null while the relationship lasts.")


class ClientDocumentList(Answer):
    items: list[ClientDocumentDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int | None = Field(default=None, description="Only with `includeTotal=true`.")
