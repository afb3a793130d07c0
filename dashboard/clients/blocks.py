"""What blocks mean together: the union of their scopes, and how much of a block a reader may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from dashboard.approvals.names import named
from dashboard.clients.models import ClientBlock
from dashboard.clients.reject_labels import in_comment
from dashboard.clients.vocabulary import BLOCK_CODE_LABELS, MASKED_CODE, SCOPE_LABELS, BlockCode, Scope
from dashboard.money import Money

#: which rule placed a block would tell why
MASKED_RULE = "system"


def effective(scopes: Iterable[str]) -> str | None:
    """The union: `all`, `debit`, `credit`, `amount`; debit and credit together are all. None without a block."""
    present = set(scopes)
    if not present:
        return None
    if Scope.ALL in present or {Scope.DEBIT, Scope.CREDIT} <= present:
        return Scope.ALL.value
    for scope in (Scope.DEBIT, Scope.CREDIT):
        if scope in present:
            return scope.value
    return Scope.AMOUNT.value


def effective_in_words(scopes: Iterable[str]) -> str | None:
    """The union for people: an amount beside a credit block is not swallowed (`credit, amount`)."""
    present = set(scopes)
    whole = effective(present)
    if whole in {Scope.DEBIT, Scope.CREDIT} and Scope.AMOUNT in present:
        return f"{whole}, {Scope.AMOUNT.value}"
    return whole


@dataclass(frozen=True)
class BlockView:
    """A block as one reader sees it. Without the permission every code reads alike and comments are absent."""

    id: UUID
    scope: str
    amount: Money | None
    code: str | None
    code_label: str
    legal_reference: str | None
    comment: str | None
    client_text: str | None
    started_at: datetime
    review_date: date
    placed_by_kind: str
    placed_by_id: UUID | None
    placed_by_name: str
    lifted_at: datetime | None
    lifted_by_name: str | None
    not_stated: bool

    @property
    def scope_label(self) -> str:
        label = SCOPE_LABELS[Scope(self.scope)]
        return f"{label} {self.amount}" if self.amount else label

    @property
    def named(self) -> str:
        """`full block`, `debit block`, `amount block 12.00 EUR`: within a sentence."""
        name = "full block" if self.scope == Scope.ALL else f"{SCOPE_LABELS[Scope(self.scope)].lower()} block"
        return f"{name} {self.amount}" if self.amount else name

    @property
    def scope_and_reason(self) -> str:
        return f"{self.scope_label} · {self.code_label}"

    @property
    def comment_in_words(self) -> str | None:
        """The comment, with reject labels of a verification in words."""
        return in_comment(self.comment) if self.comment else self.comment

    def placed_by(self, reader_id: UUID | None) -> str:
        """Who placed it, as this reader reads it."""
        if reader_id is not None and self.placed_by_id == reader_id:
            return "you"
        return named(self.placed_by_kind, self.placed_by_name)


def as_seen(block: ClientBlock, *, sees_restricted: bool) -> BlockView:
    """The only way from a stored block to anything shown."""
    return BlockView(
        id=block.id,
        scope=block.scope,
        amount=Money(block.amount_minor, block.currency) if block.amount_minor and block.currency else None,
        code=block.code if sees_restricted else None,
        code_label=BLOCK_CODE_LABELS[BlockCode(block.code)] if sees_restricted else MASKED_CODE,
        legal_reference=block.legal_reference if sees_restricted else None,
        comment=block.comment if sees_restricted else None,
        client_text=block.client_text,
        started_at=block.started_at,
        review_date=block.review_date,
        placed_by_kind=block.placed_by_kind,
        placed_by_id=block.placed_by_id,
        placed_by_name=(block.placed_by_name if sees_restricted or block.placed_by_kind != "system" else MASKED_RULE),
        lifted_at=block.lifted_at,
        lifted_by_name=block.lifted_by_name,
        not_stated=sees_restricted and block.code == BlockCode.NOT_STATED,
    )
