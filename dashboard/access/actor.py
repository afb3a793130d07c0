"""The actor: who does it, as a service sees it. Made at the edge, handed to every verb."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from dashboard.access.permissions import Permission
from dashboard.errors import Forbidden

ActorKind = Literal["staff", "token", "system"]


@dataclass(frozen=True)
class Actor:
    """`id` is the staff member's or the token's; None for the system itself.

    `owner_id` is the staff member who owns a token: such a person never decides what the token asked.
    `request_id` and `address` go into the audit event.
    """

    kind: ActorKind
    id: UUID | None
    name: str
    role: str
    permissions: frozenset[Permission] = frozenset()
    senior: bool = False
    owner_id: UUID | None = None
    client_id: UUID | None = None
    partner: str | None = None
    address: str | None = None
    request_id: str | None = field(default=None, compare=False)

    @property
    def staff_id(self) -> UUID | None:
        return self.id if self.kind == "staff" else None

    @property
    def token_id(self) -> UUID | None:
        return self.id if self.kind == "token" else None

    @property
    def sees_restricted(self) -> bool:
        return Permission.CLIENTS_READ_RESTRICTED in self.permissions

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises Forbidden. The views' guard asks first; a service asks again where people or money are at stake."""
        if permission not in self.permissions:
            raise Forbidden(f"This needs the permission {permission.value}.", details={"permission": permission.value})


def system(name: str = "system") -> Actor:
    """The house itself: a job or a command."""
    return Actor(kind="system", id=None, name=name, role="system", permissions=frozenset(Permission), senior=False)
