"""How the core says no. Imports nothing of ours, so that every room may raise a Refusal."""

from typing import Any, ClassVar


class Refusal(Exception):
    """A request that cannot be done, with a reason a program and a person can act on.

    `code` is stable for ever; `status` is the HTTP status the API gives it; `message` is a sentence in the language that
    was active when it was raised. SMS and mail answer with the message, the API with an RFC 9457 problem. Of `extra` it
    shows `retry_after` (seconds) and `challenge` (WWW-Authenticate).
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    is_final: ClassVar[bool] = True  # remembered as the answer to its Idempotency-Key; otherwise the key stays free

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class NotFound(Refusal):
    """It does not exist, or it belongs to somebody else: the two look the same from outside."""

    code = "not_found"
    status = 404


class Invalid(Refusal):
    """The input is well-formed but cannot be accepted."""

    code = "invalid"
    status = 422


class NotAllowed(Refusal):
    """The person is known and may see the thing, but not do this."""

    code = "not_allowed"
    status = 403
