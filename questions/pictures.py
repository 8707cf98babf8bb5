"""What is done to a picture: know it, draw it anew, cover parts of it. Bytes in, bytes out; no rows, no files.

A picture is decoded and drawn anew from its pixels, so that nothing else in the file (place, device, thumbnails, a program
behind the image) reaches anybody.
"""

import io
import warnings
from typing import IO, Any, NamedTuple

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

KINDS = ("JPEG", "PNG", "WEBP")  # what phones make; iOS turns its own HEIC into JPEG when a photo is shared
PIXELS_MAX = 50_000_000  # a decoded one takes three bytes a pixel
SIDE_MAX = 3000  # pixels: a bill stays readable
THUMBNAIL_SIDE = 320
QUALITY = 85


class Unreadable(Exception):
    """Not a picture of a kind we know, damaged, or with more pixels than anybody photographs."""


class Drawn(NamedTuple):
    content: bytes  # JPEG
    width: int  # pixels
    height: int


def check(file: IO[bytes]) -> None:
    """Looks at the head only, which costs nothing. Raises Unreadable."""
    _open(file)


def _open(file: IO[bytes]) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(file, formats=KINDS)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise Unreadable from error
    if picture.width * picture.height > PIXELS_MAX:
        raise Unreadable
    return picture


def anew(content: bytes) -> Drawn:
    """Upright, at most SIDE_MAX pixels a side, pixels only. Raises Unreadable."""
    picture = _open(io.BytesIO(content))
    try:
        picture.draft("RGB", (SIDE_MAX, SIDE_MAX))  # a large JPEG is decoded at half its size where that is enough
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail((SIDE_MAX, SIDE_MAX))
        return _saved(_flat(upright))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable from error


def _flat(picture: Image.Image) -> Image.Image:
    """On white where it was see-through."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("RGB")


def _saved(picture: Image.Image) -> Drawn:
    bare = Image.new("RGB", picture.size)  # carries no metadata of the one it was drawn from
    bare.paste(picture)
    out = io.BytesIO()
    bare.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Drawn(out.getvalue(), *bare.size)


def covered(content: bytes, boxes: list[list[int]]) -> Drawn:
    """`boxes`: [left, top, width, height] in pixels, each a black rectangle."""
    picture: Any = Image.open(io.BytesIO(content))
    pen = ImageDraw.Draw(picture)
    for left, top, width, height in boxes:
        pen.rectangle((left, top, left + width - 1, top + height - 1), fill="black")
    return _saved(picture)


def thumbnail(content: bytes) -> Drawn:
    picture = Image.open(io.BytesIO(content))
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return _saved(picture)
