"""An app that keeps copies: what it holds after each `GET /sync`."""

from typing import Any, Self

from django.test import Client

from backend.sync import KINDS

ONE = [kind.field for kind in KINDS if kind.is_one]
MANY = {kind.field: kind.name for kind in KINDS if not kind.is_one}


class Mirror:
    def __init__(self, client: Client, limit: int = 200) -> None:
        self.client, self.limit = client, limit
        self.cursor = ""
        self.copies: dict[str, Any] = {}
        self.answers = 0

    def ask(self) -> Any:
        cursor = f"&cursor={self.cursor}" if self.cursor else ""
        return self.client.get(f"/api/v1/sync?limit={self.limit}{cursor}")

    def step(self) -> bool:
        """One answer, written over the copies; whether there is more."""
        response = self.ask()
        assert response.status_code == 200, response.content
        body = response.json()
        if body["starts_over"]:
            self.copies = {}
        for name in ONE:
            if name in body:
                self.copies[name] = body[name]
        for field, kind in MANY.items():
            for thing in body.get(field, []):
                self.copies[f"{kind}:{thing['id']}"] = thing
        for gone in body.get("removed", []):
            self.copies.pop(f"{gone['kind']}:{gone['id']}", None)
        self.cursor = body["cursor"]
        self.answers += 1
        return bool(body["has_more"])

    def sync(self) -> Self:
        while self.step():
            pass
        return self

    def of(self, kind: str) -> list[Any]:
        return [thing for key, thing in self.copies.items() if key.startswith(f"{kind}:")]


def whole(client: Client) -> dict[str, Any]:
    """What a new phone would hold."""
    return Mirror(client).sync().copies
