"""Forms around deletion: a wish that came by letter, its refusal, a legal hold."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField

from dashboard.clients.forms.fields import longer_text, text
from dashboard.clients.retention import CHANNEL_LABELS, GROUND_LABELS, HOLD_LABELS, Channel, Ground, HoldCode
from dashboard.web.fields import Day

_CHANNELS = [
    (channel.value, f"{label[:1].upper()}{label[1:]}")
    for channel, label in CHANNEL_LABELS.items()
    if channel is not Channel.FRONT_OFFICE
]


class DeletionForm(FlaskForm):
    """The wish of a client that staff write down."""

    channel = RadioField("How it was asked", choices=_CHANNELS, default=Channel.LETTER.value)
    received_on = Day("Received on", id="deletion-received")
    reason = longer_text("What was said", marked=True, id="deletion-reason")

    @property
    def asked_by(self) -> Channel:
        return Channel(self.channel.data)


class RefusalForm(FlaskForm):
    ground = RadioField("Ground", choices=[(ground.value, label) for ground, label in GROUND_LABELS.items()])
    reason = longer_text("Why", required="Say why; the client may ask.", id="refusal-reason")

    @property
    def chosen(self) -> Ground:
        return Ground(self.ground.data)


class HoldForm(FlaskForm):
    code = SelectField("Reason", choices=[(code.value, label) for code, label in HOLD_LABELS.items()], id="hold-code")
    reference = text("File or order", longest=500, required="Say which file or order it is about.", id="hold-reference")

    @property
    def hold_code(self) -> HoldCode:
        return HoldCode(self.code.data)
