"""Which views a person sees: their own and the shared ones, of lists that they may open."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.staff.models import StaffMember
from dashboard.views import lists
from dashboard.views.models import SavedView

#: of one person together; there are fewer by the limits of each list
MOST = 2000


class Seen(NamedTuple):
    """A view with its list and whose it is."""

    view: SavedView
    place: lists.Place
    owner: str
    mine: bool

    @property
    def url(self) -> str:
        return self.place.url(self.view.query)


def manages_shared(actor: Actor) -> bool:
    """Administrators clear away what people who have left shared; opening a list stays another permission."""
    return actor.may(Permission.STAFF_WRITE)


_SEEN = (
    sa.select(SavedView, StaffMember.name)
    .join(StaffMember, StaffMember.id == SavedView.owner_id)
    .where(sa.or_(SavedView.owner_id == sa.bindparam("reader", type_=SavedView.owner_id.type), SavedView.shared))
    .order_by(SavedView.shared, SavedView.name_key, SavedView.id)
    .limit(MOST)
)
#: stands ready, as it is asked above every list
_OF_LIST = _SEEN.where(SavedView.list == sa.bindparam("code", type_=sa.Text()))


def _seen(actor: Actor, query: sa.Select[SavedView, str], **asked: str) -> list[Seen]:
    found = []
    for view, owner in session().execute(query, {"reader": actor.staff_id, **asked}):
        place = lists.find(view.list)
        if place is not None:
            found.append(Seen(view, place, owner, view.owner_id == actor.staff_id))
    return found


def of_list(place: lists.Place, *, actor: Actor) -> list[Seen]:
    """Views of a list, one's own first. Only for who may open it."""
    return _seen(actor, _OF_LIST, code=place.code) if place.may_open(actor) else []


def visible(actor: Actor) -> list[Seen]:
    """All that a person may open."""
    codes = [code for code, place in lists.places().items() if place.may_open(actor)]
    return _seen(actor, _SEEN.where(SavedView.list.in_(codes))) if codes else []


def shared_elsewhere(actor: Actor) -> list[Seen]:
    """For administrators: shared views of lists that they may not open. Names and owners, nothing to open."""
    if not manages_shared(actor):
        return []
    return [one for one in _seen(actor, _SEEN.where(SavedView.shared.is_(True))) if not one.place.may_open(actor)]


def get(view_id: UUID, *, actor: Actor, closed_lists: bool = False) -> Seen:
    """One view. `closed_lists`: also a shared one of a list that an administrator may not open. Raises NotFound."""
    found = _seen(actor, _SEEN.where(SavedView.id == view_id))
    if found:
        seen = found[0]
        if seen.place.may_open(actor) or (closed_lists and seen.view.shared and manages_shared(actor)):
            return seen
    raise NotFound("There is no such view, or it is not shared with you.")


def same_name(view_id: UUID | None, *, owner_id: UUID, code: str, key: str) -> bool:
    """Whether the person has another view of this list under this name."""
    query = sa.select(SavedView.id).where(
        SavedView.owner_id == owner_id, SavedView.list == code, SavedView.name_key == key
    )
    if view_id is not None:
        query = query.where(SavedView.id != view_id)
    return session().scalar(query.limit(1)) is not None


def count(code: str, *, shared: bool, owner_id: UUID | None = None) -> int:
    """How many views of a list are shared, or how many a person keeps private."""
    query = (
        sa.select(sa.func.count()).select_from(SavedView).where(SavedView.list == code, SavedView.shared.is_(shared))
    )
    if owner_id is not None:
        query = query.where(SavedView.owner_id == owner_id)
    return session().scalar(query) or 0
