"""What the fields of every form share: texts are trimmed, empty is None, a plain day never shifts between zones."""

from __future__ import annotations

import re
from typing import Any

from wtforms import DateField, Field
from wtforms.validators import Length, StopValidation

#: what no field may hold, lines and tabs aside
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def stripped(text: str | None) -> str | None:
    """A filter: outer blanks gone, empty is None."""
    return (text or "").strip() or None


def plain(_form: Any, field: Field) -> None:
    """No control characters: they cannot be stored, and nobody types them."""
    if isinstance(field.data, str) and CONTROL.search(field.data):
        raise StopValidation("Remove the control characters.")


def filled(sentence: str) -> Any:
    """A validator: something stands there; `sentence` is said of an empty one."""

    def check(_form: Any, field: Field) -> None:
        if not field.data:
            raise StopValidation(sentence)

    return check


def at_most(count: int) -> Length:
    """A validator: so many characters."""
    return Length(max=count, message=f"Use at most {count:,} characters.")


class Day(DateField):
    """A plain date; an impossible one is an error beside the field and stays as typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write the date as 2026-03-13.") from None
