"""Keeping filters under a name, calling a view otherwise, sharing it, taking it away."""

from __future__ import annotations

import unicodedata
import zlib
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Forbidden, Invalid, NotFound, Refused
from dashboard.views import lists, queries
from dashboard.views.models import SavedView

LONGEST_NAME = 60
#: private views of one person and list; shared views of one list, whoever shares them: all stand above it in one row
MOST_PRIVATE = 50
MOST_SHARED = 50
#: first key of the advisory lock: views of a list are saved one after the other, so that a limit holds
_LOCK = 0x7669_6577


def tidy(name: str) -> str:
    """The name as it is kept. Raises Invalid (field `name`)."""
    found = " ".join(unicodedata.normalize("NFC", name).split())
    if not found:
        raise Invalid.one("name", "Give the view a name.", "required")
    if len(found) > LONGEST_NAME:
        raise Invalid.one("name", f"Use at most {LONGEST_NAME} characters.", "length")
    if not found.isprintable():
        raise Invalid.one("name", "Remove the characters that cannot be seen.", "characters")
    return found


def key_of(name: str) -> str:
    """What makes two names the same: neither case nor the form of a letter tells them apart."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _owner(actor: Actor) -> UUID:
    if actor.staff_id is None:
        raise Forbidden("Views are kept for people.")
    return actor.staff_id


def _one_after_the_other(code: str) -> None:
    key = zlib.crc32(code.encode()) - 2**31
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, key)))


def anybody(permission: Permission) -> Actor:
    """Somebody who may open a list and nothing else: what they cannot ask, a shared view must not."""
    return Actor(kind="staff", id=None, name="", role="", permissions=frozenset({permission}))


def _check_filters(place: lists.Place, values: dict[str, str], *, shared: bool, by: Actor) -> None:
    wrong = place.wrong(values, by)
    if wrong:
        raise Invalid.one("query", wrong[0])
    if shared and place.wrong(values, anybody(place.permission)):
        raise Invalid.one(
            "shared",
            "Not everybody who may open this list may ask for this. Keep it to yourself, or take the filter away.",
            "restricted",
        )


def _check_room(code: str, *, shared: bool, owner_id: UUID) -> None:
    if shared and queries.count(code, shared=True) >= MOST_SHARED:
        raise Refused(f"This list has {MOST_SHARED} shared views, and no more fit. Delete one that nobody needs.")
    if not shared and queries.count(code, shared=False, owner_id=owner_id) >= MOST_PRIVATE:
        raise Refused(f"You keep {MOST_PRIVATE} views of this list, and no more fit. Delete one first.")


def _taken() -> Invalid:
    return Invalid.one("name", "You have a view of this list under this name. Choose another.", "unique")


def save(code: str, query: str, *, name: str, shared: bool, by: Actor) -> SavedView:
    """Keep the filters of a list. Raises NotFound for a list that the person may not open, Invalid (`name`, `query`,
    `shared`), Refused when there are too many."""
    owner_id = _owner(by)
    place = lists.find(code)
    if place is None or not place.may_open(by):
        raise NotFound("There is no such list.")
    said, values = tidy(name), place.parse(query)
    _check_filters(place, values, shared=shared, by=by)
    _one_after_the_other(code)
    key = key_of(said)
    if queries.same_name(None, owner_id=owner_id, code=code, key=key):
        raise _taken()
    _check_room(code, shared=shared, owner_id=owner_id)
    view = SavedView(
        owner_id=owner_id, list=code, name=said, name_key=key, query=lists.query_of(values), shared=shared,
        created_at=clock.now(),
    )  # fmt: skip
    _flush(view)
    audit.record(
        "view.saved", by=by, object_type="saved_view", object_id=view.id,
        after={"list": code, "name": said, "query": view.query, "shared": shared},
    )  # fmt: skip
    return view


def _flush(view: SavedView) -> None:
    """Write it; the name may have been taken this moment. Raises Invalid."""
    try:
        with savepoint():
            session().add(view)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) == "uq_saved_view_owner_id_list_name_key":
            raise _taken() from None
        raise


def _own(view_id: UUID, by: Actor) -> queries.Seen:
    """Raises NotFound, Forbidden."""
    seen = queries.get(view_id, actor=by)
    if not seen.mine:
        raise Forbidden(f"Only {seen.owner}, who saved this view, can change it.")
    return seen


def change(view_id: UUID, *, name: str, shared: bool, by: Actor) -> SavedView:
    """Call a view otherwise, share it or keep it to oneself. Raises NotFound, Forbidden, Invalid, Refused."""
    seen = _own(view_id, by)
    said, key = tidy(name), key_of(name)
    _one_after_the_other(seen.place.code)
    view = session().get(SavedView, view_id, populate_existing=True, with_for_update=True)
    if view is None:
        raise NotFound("This view was deleted meanwhile.")
    before = {"name": view.name, "shared": view.shared}
    after = {"name": said, "shared": shared}
    if before == after:
        return view
    if shared and not view.shared:
        _check_filters(seen.place, seen.place.parse(view.query), shared=True, by=by)
    if queries.same_name(view.id, owner_id=view.owner_id, code=view.list, key=key):
        raise _taken()
    if shared != view.shared:
        _check_room(view.list, shared=shared, owner_id=view.owner_id)
    view.name, view.name_key, view.shared = said, key, shared
    _flush(view)
    changed = [field for field in after if before[field] != after[field]]
    audit.record(
        "view.changed", by=by, object_type="saved_view", object_id=view.id,
        before={field: before[field] for field in changed}, after={field: after[field] for field in changed},
    )  # fmt: skip
    return view


def delete(view_id: UUID, *, by: Actor) -> None:
    """Take a view away: one's own, or as an administrator a shared one. Raises NotFound, Forbidden."""
    seen = queries.get(view_id, actor=by, closed_lists=True)
    if not seen.mine and not queries.manages_shared(by):
        raise Forbidden(f"Only {seen.owner}, who saved this view, or an administrator can delete it.")
    view = seen.view
    was = {"list": view.list, "name": view.name, "query": view.query, "shared": view.shared, "owner": view.owner_id}
    still = SavedView.owner_id == by.staff_id if seen.mine else SavedView.shared
    gone = session().execute(
        sa.delete(SavedView).where(SavedView.id == view_id, still).execution_options(synchronize_session="fetch")
    )
    if not gone.rowcount:  # type: ignore[attr-defined]
        raise NotFound("This view was deleted already.")
    audit.record(
        "view.deleted", by=by, object_type="saved_view", object_id=view_id,
        before=was,
    )  # fmt: skip
