"""Forms of saved views. The name's rule is the service's: here it is only asked for."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField
from wtforms.validators import InputRequired

from dashboard.views.services import LONGEST_NAME

WHO = (("no", "Only me"), ("yes", "Everybody who may open this list"))


class ViewForm(FlaskForm):
    """Name, and who sees it."""

    name = StringField(
        "Name",
        validators=[InputRequired("Give the view a name.")],
        description="What it asks, not whom: no names of clients.",
        render_kw={"maxlength": LONGEST_NAME, "autocomplete": "off"},
    )
    shared = RadioField(
        "Who sees it", choices=list(WHO), default="no", validators=[InputRequired("Choose who sees it.")]
    )

    @property
    def is_shared(self) -> bool:
        return bool(self.shared.data == "yes")


class SaveForm(ViewForm):
    """Which filters of which list."""

    list = HiddenField()
    query = HiddenField()
