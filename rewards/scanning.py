"""A voucher's code out of a photo of its QR, for tills without a scanner. The photo is looked at and forgotten."""

from typing import IO, Any

import zxingcpp
from django.utils.translation import gettext as _
from PIL import Image

from backend.errors import Refusal
from rewards import codes

BYTES_MAX = 12_000_000  # the largest photo that today's phones make
FORMATS = ("JPEG", "PNG", "WEBP")
PIXELS_MAX = 60_000_000  # as the file says, before anything is decoded
DECODED_PIXELS_MAX = 16_000_000  # JPEGs are decoded at a half, a quarter or an eighth until they fit
SIDE_PIXELS = 2400  # more shows a QR no better, only slower
QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
Image.MAX_IMAGE_PIXELS = None  # Pillow only warns there; `_decoded` counts and refuses


class PhotoTooLarge(Refusal):
    code = "photo_too_large"
    status = 413


class PhotoUnreadable(Refusal):
    """No picture, a broken one, or one of more pixels than we decode."""

    code = "photo_unreadable"
    status = 422


class NoCodeInPhoto(Refusal):
    code = "no_code_in_photo"
    status = 422


def code_in(photo: IO[Any], size: int) -> str:
    """The first voucher code that can be read in it. Raises PhotoTooLarge, PhotoUnreadable, NoCodeInPhoto."""
    if size > BYTES_MAX:
        raise too_large()
    for found in zxingcpp.read_barcodes(_decoded(photo), formats=QR):
        if code := codes.read(found.text[:60]):
            return code
    raise NoCodeInPhoto(_("There is no code of ours in this photo. Come closer, or type it."))


def too_large() -> PhotoTooLarge:
    return PhotoTooLarge(_("This photo is too large: %(max)s MB at most.") % {"max": BYTES_MAX // 1_000_000})


def _decoded(photo: IO[Any]) -> Image.Image:
    """In grey, at most SIDE_PIXELS wide and high. Its size is judged before it takes any memory."""
    try:
        picture = Image.open(photo, formats=FORMATS)
        fits = picture.width * picture.height <= PIXELS_MAX
        if fits:
            picture.draft("L", (SIDE_PIXELS, SIDE_PIXELS))
        if not fits or picture.width * picture.height > DECODED_PIXELS_MAX:
            raise PhotoUnreadable(_("This photo has too many pixels. Take a smaller one, or type the code."))
        grey = picture.convert("L")
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoUnreadable(_("This is no photo that we can read. Take another one, or type the code.")) from error
    grey.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
    return grey
