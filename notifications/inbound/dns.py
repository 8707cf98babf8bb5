"""What other domains publish in DNS. A server that does not answer is told apart from a name that does not exist."""

from functools import lru_cache
from typing import Any

import dns.exception
import dns.resolver
from django.conf import settings

LOOKUP_SECONDS = 3.0


class NoAnswerNow(Exception):
    """Nobody could be asked; later somebody may."""


@lru_cache(maxsize=4)
def _resolver(servers: tuple[str, ...]) -> dns.resolver.Resolver:
    """One that asks `servers` ("127.0.0.1:53"), or the machine's own when there are none."""
    resolver = dns.resolver.Resolver(configure=not servers)
    if servers:
        hosts = [server.rpartition(":") for server in servers]
        resolver.nameservers = [host for host, _colon, _port in hosts]
        resolver.nameserver_ports = {host: int(port) for host, _colon, port in hosts}
    return resolver


def records(name: str, kind: str, seconds: float = LOOKUP_SECONDS) -> list[Any]:
    """dnspython's records; none when the name has none. Raises NoAnswerNow."""
    try:
        found = _resolver(tuple(settings.MAIL_DNS_SERVERS)).resolve(name, kind, lifetime=min(seconds, LOOKUP_SECONDS))
        return list(found)
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return []
    except (dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, dns.exception.Timeout) as error:
        raise NoAnswerNow(str(error)) from error
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return []  # no name at all


def texts(name: str, seconds: float = LOOKUP_SECONDS) -> list[bytes]:
    return [b"".join(record.strings) for record in records(name, "TXT", seconds)]
