"""The same inputs give the same bytes: what a library writes of its own moment is set to the moment of the data."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from typing import IO

#: the format of archives knows no time before this
_FIRST = (1980, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


def workbook(file: IO[bytes], as_of: datetime) -> bytes:
    """An XLSX as if it had been written at `as_of`: parts in the order of their names, all with that time."""
    moment = as_of.astimezone(UTC)
    stamp = max(_FIRST, moment.timetuple()[:6])
    written = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                said = moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                content = _MODIFIED.sub(rb"\g<1>" + said + rb"\g<2>", content)
            part = zipfile.ZipInfo(name, stamp)
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o600 << 16
            target.writestr(part, content)
    return written.getvalue()
