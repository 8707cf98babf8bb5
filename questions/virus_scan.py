"""The virus scanner, where one is configured: clamd's INSTREAM over TCP (clamd(8))."""

import socket
import struct

from django.conf import settings

CHUNK = 2**16  # bytes
TIMEOUT_SECONDS = 20.0


class ScannerUnavailable(Exception):
    """No answer, or one that says neither clean nor infected: nobody sees the file until there is one."""


def is_infected(content: bytes) -> bool:
    """Without a scanner nothing is. Raises ScannerUnavailable."""
    address: tuple[str, int] | None = settings.VIRUS_SCANNER
    if address is None:
        return False
    try:
        answer = _ask(address, content)
    except OSError as error:
        raise ScannerUnavailable(str(error)) from error
    if answer.endswith("FOUND"):
        return True
    if answer.endswith("OK"):
        return False
    raise ScannerUnavailable(answer[:200])


def _ask(address: tuple[str, int], content: bytes) -> str:
    """Length and bytes, chunk by chunk, and a length of nought at the end; the answer ends with NUL."""
    with socket.create_connection(address, timeout=TIMEOUT_SECONDS) as scanner:
        scanner.sendall(b"zINSTREAM\0")
        for start in range(0, len(content), CHUNK):
            chunk = content[start : start + CHUNK]
            scanner.sendall(struct.pack("!I", len(chunk)) + chunk)
        scanner.sendall(struct.pack("!I", 0))
        answer = b""
        while not answer.endswith(b"\0"):
            part = scanner.recv(1024)
            if not part:
                break
            answer += part
    return answer.rstrip(b"\0").decode("utf-8", "replace")
