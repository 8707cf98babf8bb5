"""A Twilio look-alike for measuring: what `messages.create` needs of the Messages API, 50 ms away, with a log of its own.

In a process of its own and without a database, so that what is measured is the product and not this. The log has a line
for each message in the moment it comes in: `<seconds>\t<body>`, by the clock that all processes of a machine share.
"""

import argparse
import asyncio
import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import TextIO
from urllib.parse import parse_qs

ENDS_HEAD = b"\r\n\r\n"


class Twilio(asyncio.Protocol):
    """One connection, kept alive; requests come one after the other, as from any pool of connections."""

    def __init__(self, log: TextIO, latency_seconds: float) -> None:
        self.log, self.latency_seconds = log, latency_seconds
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 — for the type checker: TCP gives no other
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        head, end, rest = self.waiting.partition(ENDS_HEAD)
        length = _length(head) if end else 0
        if not end or len(rest) < length:
            return
        self.waiting = rest[length:]
        answer = self._take(rest[:length].decode())
        asyncio.get_running_loop().call_later(self.latency_seconds, self._answer, answer)

    def _take(self, fields: str) -> bytes:
        named = {name: values[-1] for name, values in parse_qs(fields).items()}
        self.log.write(f"{time.monotonic():.6f}\t{named['Body']}\n")
        return json.dumps(_resource(named)).encode()

    def _answer(self, content: bytes) -> None:
        head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + content)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _resource(fields: dict[str, str]) -> dict[str, object]:
    """What Twilio answers, as long as its own answer."""
    at, sid, account = formatdate(), f"SM{time.monotonic_ns():032x}", "AC" + "0" * 32
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": fields["Body"],
        "date_created": at,
        "date_sent": None,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": fields["From"],
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "EUR",
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json"},
        "to": fields["To"],
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
    }


async def _serve(port: int, log: TextIO, latency_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Twilio(log, latency_seconds), "127.0.0.1", port, backlog=512)
    async with server:
        print("ready", flush=True)
        while True:
            await asyncio.sleep(0.2)
            log.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds between a message and its answer")
    options = parser.parse_args()
    with options.log.open("w") as log:
        asyncio.run(_serve(options.port, log, options.latency))


if __name__ == "__main__":
    main()
