"""Forms that ask for a few words: why, what was found, a note."""

from __future__ import annotations

from flask_wtf import FlaskForm

from dashboard.clients.forms.fields import longer_text


class ReasonForm(FlaskForm):
    """Asking for a second person."""

    reason = longer_text("Why", required="Say why.", id="ask-reason")


class SettleForm(FlaskForm):
    """Settling a flag."""

    reason = longer_text("What you found", required="Say what you found.", id="settle-reason")


class NoteForm(FlaskForm):
    body = longer_text("Note", longest=4000, required="Write something first.", id="note-body")
