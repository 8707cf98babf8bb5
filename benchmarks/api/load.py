"""Clients that ask over kept-alive connections, each its next request as soon as its last is answered.

A process of its own, the same for all that are measured. Plain sockets and one `epoll` loop, because it shares the cores
with what it measures: about 20 µs a request. Says `begin` and `end` on lines of their own, then its figures as JSON:
`requests` answered in the time that counts and `answered` in all; `p50_ms`, `p99_ms`; `errors`, the first few in words.
"""

import argparse
import json
import random
import select
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from benchmarks.api import company

HEAD_ENDS = b"\r\n\r\n"
LENGTH = b"content-length:"
ERRORS_TOLD = 3
PATIENCE_SECONDS = 30.0
TEXT = "My friend moved house on the first and still pays for the old connection as well. Whom should she write to? ({})"
Draw = Callable[[random.Random], tuple[str, str, str, str]]  # method, path, further headers, body


def ask(draw: random.Random) -> tuple[str, str, str, str]:
    """Any of those who read no lists: their open questions stay few."""
    asker = draw.randrange(company.READERS + 1, company.PEOPLE + 1)
    body = {"id": _uuid(draw), "text": TEXT.format(draw.getrandbits(40)), "language": "en"}
    return "POST", "/api/v1/questions", _signed_in(asker) + _key(draw), json.dumps(body)


def read(draw: random.Random) -> tuple[str, str, str, str]:
    return "GET", "/api/v1/questions", _signed_in(draw.randrange(1, company.READERS + 1)), ""


def give(draw: random.Random) -> tuple[str, str, str, str]:
    body = {"offer_id": str(company.id_of(draw.randrange(1, company.CAMPAIGNS + 1))), "note": "Thank you!"}
    return "POST", "/api/v1/gifts", _signed_in(draw.randrange(1, company.PEOPLE + 1)) + _key(draw), json.dumps(body)


def _uuid(draw: random.Random) -> str:
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


def _signed_in(person: int) -> str:
    return f"Authorization: Bearer {company.token(person)}\r\n"


def _key(draw: random.Random) -> str:
    return f"Idempotency-Key: {_uuid(draw)}\r\n"


DRAWS: dict[str, Draw] = {"post_question": ask, "list_questions": read, "post_gift": give}


def request(draw: Draw, chance: random.Random) -> bytes:
    method, path, headers, body = draw(chance)
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{headers}{about}\r\n{body}".encode()


@dataclass
class Client:
    socket: socket.socket
    began: float = 0.0
    got: bytes = b""


class Load:
    """`send` asks for one client, `take` reads; `answers` are (when asked, when answered) of all that were 2xx."""

    def __init__(self, port: int, clients: int, make: Callable[[], bytes]) -> None:
        self.make, self.poll = make, select.epoll()
        self.clients: dict[int, Client] = {}
        self.answers: list[tuple[float, float]] = []
        self.errors: list[str] = []
        for _one in range(clients):
            made = socket.create_connection(("127.0.0.1", port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.clients[made.fileno()] = Client(made)
            self.poll.register(made, select.EPOLLIN)
        self.waiting = 0

    def send(self, client: Client) -> None:
        asked = self.make()
        client.began, client.got = time.monotonic(), b""
        client.socket.sendall(asked)
        self.waiting += 1

    def take(self, client: Client) -> bool:
        """Whether its answer is whole."""
        data = client.socket.recv(262_144)
        if not data:
            raise ConnectionError(f"the server hung up; before: {client.got[:300]!r}")
        client.got += data
        head, found, body = client.got.partition(HEAD_ENDS)
        if not found or len(body) < _length(head):
            return False
        self.waiting -= 1
        if head[9:10] == b"2":
            self.answers.append((client.began, time.monotonic()))
        else:
            self.errors.append(client.got[:600].decode(errors="replace"))
        return True

    def run(self, until: float) -> None:
        """Ask without a pause until then; what is under way is waited for."""
        for client in self.clients.values():
            self.send(client)
        while self.waiting:
            ready = self.poll.poll(PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"{self.waiting} requests without an answer for {PATIENCE_SECONDS} s")
            for number, _event in ready:
                client = self.clients[number]
                if self.take(client) and time.monotonic() < until:
                    self.send(client)


def _length(head: bytes) -> int:
    lower = head.lower()
    place = lower.find(LENGTH)
    if place < 0:
        raise ValueError(f"an answer without a length: {head!r}")
    return int(lower[place + len(LENGTH) :].split(b"\r", 1)[0])


def main(options: argparse.Namespace) -> None:
    chance = random.Random(options.seed)
    draw = DRAWS[options.endpoint]
    load = Load(options.port, options.clients, lambda: request(draw, chance))
    load.run(time.monotonic() + options.warm_up)
    warm = len(load.answers)
    print("begin", flush=True)
    began = time.monotonic()
    load.run(began + options.seconds)
    took = time.monotonic() - began
    print("end", flush=True)
    waits = sorted(1000 * (answered - asked) for asked, answered in load.answers[warm:]) or [0.0]
    figures = {
        "requests": len(waits),
        "answered": len(load.answers),
        "per_s": len(waits) / took,
        "p50_ms": waits[ceil(0.50 * len(waits)) - 1],
        "p99_ms": waits[ceil(0.99 * len(waits)) - 1],
        "errors": len(load.errors),
        "told": load.errors[:ERRORS_TOLD],
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--endpoint", choices=DRAWS, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warm-up", type=float, default=0.5)
    parser.add_argument("--seed", type=int, required=True)
    main(parser.parse_args())
