"""One provider each. A channel is a function `send(delivery) -> provider id` with three ways to fail."""


class TryLater(Exception):
    """Not taken; the same may work in a while, and not before `wait_seconds` when the provider said so."""

    def __init__(self, reason: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class Undeliverable(Exception):
    """Not taken, and it never will be. `address_is_dead`: nothing else will reach this address either.

    `is_ours`: the message and the address are fine, our account at this provider is not; another one may take it.
    """

    def __init__(self, reason: str, *, address_is_dead: bool = False, is_ours: bool = False) -> None:
        super().__init__(reason)
        self.address_is_dead, self.is_ours = address_is_dead, is_ours


class Unknown(Exception):
    """The provider may or may not have taken it, e.g. a time-out after sending."""
