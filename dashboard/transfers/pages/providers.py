"""How the providers are: what was heard last, what waits, which files failed and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, current_app, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import session, transaction
from dashboard.errors import NotFound, Refused
from dashboard.settings import Settings
from dashboard.transfers import inbox
from dashboard.transfers.models import ProviderFile
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import providers as queries
from dashboard.transfers.services import files
from dashboard.transfers.services.providers import provider
from dashboard.web.htmx import go
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

KINDS = {"files": "ISO 20022 files", "sandbox": "Sandbox over HTTP"}
#: colour role and word of each state of a file
FILE_STATES = {"reading": ("info", "In work"), "done": ("ok", "Done"), "failed": ("stop", "Failed")}


@transfers.get("/providers")
@requires(Permission.TRANSFERS_READ)
def providers() -> str:
    """All providers with their figures."""
    return render_template("transfers/providers.html", views=queries.all_views(), kinds=KINDS)


@transfers.get("/providers/<key>/files")
@requires(Permission.TRANSFERS_READ)
def provider_files(key: str) -> Response:
    """Files of a provider, newest first; `view` failed: those with something to look at."""
    found = provider(key)
    failed = request.args.get("view") == "failed"
    context: dict[str, Any] = {"problem": False}
    try:
        rows, earlier, later = _page(key, failed)
        context |= {"files": rows, "earlier": earlier, "later": later}
    except InvalidCursor:
        context |= {"problem": True, "files": []}
    return make_response(
        render_template(
            "transfers/provider_files.html", provider=found, failed=failed, states=FILE_STATES,
            may_retry=current_actor().may(Permission.TRANSFERS_EXECUTE), **context,
        ),
        400 if context["problem"] else 200,
    )  # fmt: skip


def _page(key: str, failed: bool) -> tuple[list[ProviderFile], str | None, str | None]:
    bound = ["provider-files", key, failed]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.files(
        key, failed=failed, limit=DEFAULT_PAGE_SIZE + 1,
        before=None if backwards else edge, after=edge if backwards else None,
    )  # fmt: skip
    shown, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda file: [str(file.id)], bound=bound
    )

    def at(cursor: str | None) -> str | None:
        view = "failed" if failed else None
        return url_for(".provider_files", key=key, view=view, cursor=cursor) if cursor else None

    return shown, at(earlier), at(later)


@transfers.post("/providers/<key>/files/<uuid:file_id>/retry")
@requires(Permission.TRANSFERS_EXECUTE)
def retry_file(key: str, file_id: UUID) -> Any:
    """Lay the file into the inbox again."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    file = session().get(ProviderFile, file_id)
    if file is None or file.provider != key:
        raise NotFound("There is no such file.", code="fileNotFound")
    lies = inbox.place_of(settings.instance_path, file)
    try:
        if not lies.exists():
            raise Refused("The file is no longer where it was laid; put it into the inbox again.", code="fileGone")
        with transaction():
            again = files.ask_to_retry(file_id, by=current_actor())
        inbox.put_back(settings.instance_path, again, lies)
    except Refused as refusal:
        flash(refusal.message, "stop")
    else:
        flash("The file is read again. What was taken from it before is not taken twice.", "ok")
    return go(url_for(".provider_files", key=key))
