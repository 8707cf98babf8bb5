"""Files that are sent to us: a request that is too large is refused before it is read."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class Bounded(FileUploadHandler):
    """Stands before the handlers that store. Raises what Django knows everywhere, also while it looks for a CSRF token."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803 — Django's
        content_length: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if content_length > settings.UPLOAD_BYTES_MAX:
            raise RequestDataTooBig

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data  # on to the next handler

    def file_complete(self, file_size: int) -> None:
        return None
