"""One provider each. A channel is a function `send(delivery) -> provider id` with three ways to fail.

It runs in a thread that only talks to the provider, many at once, so it leaves the database alone: what must be read first
is its `prepare`, in the sender's own thread, and what its failure means for phones and operators is that failure's `then`.
"""

from collections.abc import Callable


class Failed(Exception):
    """Not sent, or perhaps not. `then` is called by who notes the outcome, where the database may be used."""

    def __init__(self, reason: str, *, then: Callable[[], None] | None = None) -> None:
        super().__init__(reason)
        self.then = then


class TryLater(Failed):
    """Not taken; the same may work in a while, and not before `wait_seconds` when the provider said so."""

    def __init__(self, reason: str, *, wait_seconds: float = 0.0, then: Callable[[], None] | None = None) -> None:
        super().__init__(reason, then=then)
        self.wait_seconds = wait_seconds


class Undeliverable(Failed):
    """Not taken, and it never will be. `address_is_dead`: nothing else will reach this address either.

    `is_ours`: the message and the address are fine, our account at this provider is not; another one may take it.
    """

    def __init__(
        self,
        reason: str,
        *,
        address_is_dead: bool = False,
        is_ours: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(reason, then=then)
        self.address_is_dead, self.is_ours = address_is_dead, is_ours


class Unknown(Failed):
    """The provider may or may not have taken it, e.g. a time-out after sending."""
