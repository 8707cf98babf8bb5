"""Files that are sent to us: a request that is too large is refused before it is read."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.utils.translation import gettext as _

from backend.errors import Refusal


class TooLarge(Refusal):
    code = "too_large"
    status = 413


class Bounded(FileUploadHandler):
    """Stands before the handlers that store. Raises TooLarge."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],
        content_length: int,
        *args: Any,
        **kwargs: Any,  # noqa: N803 — Django's
    ) -> None:
        if content_length > settings.UPLOAD_BYTES_MAX:
            raise TooLarge(_("The request is too large."))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data  # on to the next handler

    def file_complete(self, file_size: int) -> None:
        return None
