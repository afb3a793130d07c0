"""Decoding pictures with Pillow. Runs in the child process only."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from dashboard.clients.documents.looking.reasons import NotTaken, Reason
from dashboard.clients.documents.vocabulary import DocumentKind

#: beyond what telephones take (50 megapixels): a picture that only wants our memory
MOST_PIXELS = 64_000_000
#: of a preview, in pixels along its longer side
LONGEST_SIDE = 1600
_FORMATS = {DocumentKind.JPEG: "JPEG", DocumentKind.PNG: "PNG", DocumentKind.WEBP: "WEBP"}

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decoded(content: bytes, kind: DocumentKind) -> Image.Image:
    """The picture, every pixel of it. Raises NotTaken."""
    try:
        picture = Image.open(io.BytesIO(content), formats=[_FORMATS[kind]])
        if picture.width * picture.height > MOST_PIXELS:
            raise NotTaken(Reason.BOMB)
        if getattr(picture, "is_animated", False) and picture.format != "MPO":
            raise NotTaken(Reason.ANIMATED)
        picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotTaken(Reason.BOMB) from None
    except MemoryError:
        raise NotTaken(Reason.COSTLY) from None
    except NotTaken:
        raise
    except UnidentifiedImageError:
        raise NotTaken(Reason.DAMAGED) from None
    except ValueError as error:
        # Pillow's bound of unpacked text and colour profiles
        raise NotTaken(Reason.BOMB if "too large" in str(error).lower() else Reason.DAMAGED) from None
    except Exception:
        # decoders raise what they like: whatever it was, the picture cannot be shown
        raise NotTaken(Reason.DAMAGED) from None
    return picture


def preview(content: bytes, kind: DocumentKind) -> bytes:
    """The picture as a PNG of screen size, upright, without any of its metadata."""
    picture = decoded(content, kind)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    upright = ImageOps.exif_transpose(picture) or picture
    return as_png(upright)


def as_png(picture: Image.Image) -> bytes:
    """Colours only: what a PNG could carry beside them is left out."""
    plain = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    clean = Image.new(plain.mode, plain.size)
    clean.paste(plain)
    out = io.BytesIO()
    clean.save(out, "PNG", compress_level=3)
    return out.getvalue()
