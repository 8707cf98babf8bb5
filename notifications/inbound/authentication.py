"""Whether a mail is from whom its From says: anybody can write a colleague's address there.

It is when its domain stands behind it: a DKIM signature of that domain, or a server that its SPF record names and a
MAIL FROM of that domain (DMARC's alignment, strict where the domain asks for it). A company's own gateway or a provider
may have checked before us; their word counts only from them. Judged before the message is handled and outside its
transaction, because DNS may take seconds.
"""

import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import authres
import dkim
from django.conf import settings
from publicsuffixlist import PublicSuffixList

from backend import clock
from notifications import addresses, item_codes
from notifications.inbound import dns, mime
from notifications.models import Channel, InboundMessage

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its regular expressions are written as Python 2 allowed
    import spf

log = logging.getLogger(__name__)

Verdict = InboundMessage.Authentication
SIGNATURES_MAX = 3  # a mail with hundreds shall not keep a worker busy
SPF_SECONDS = 6  # in all; with the signatures this stays below the time that an attempt has
TRY_AGAIN = timedelta(minutes=1)
DNS_OUTAGE_MAX = timedelta(minutes=30)  # longer its writer is asked instead
DMARC = re.compile(rb"^v=DMARC1\s*;", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """A check that passed: what vouches ("dkim", "spf", "dmarc"), and for which domain."""

    method: str
    domain: str


def needed(message: InboundMessage) -> bool:
    """Whether this acts in the name of somebody known by its From alone. A reply key is a proof of its own."""
    if settings.MAIL_IN_AUTHENTICATION == "off" or message.channel != Channel.EMAIL or message.authentication:
        return False
    owner = addresses.owner(Channel.EMAIL, message.sender)
    if owner is None:
        return False
    item = item_codes.by_reply_key(message.reply_key) if message.reply_key else None
    return item is None or item.person_id != owner.person_id


def judge(message_id: UUID) -> bool:
    """Note the verdict of a message that needs one. False: DNS does not answer, so the message waits a minute."""
    message = InboundMessage.objects.filter(pk=message_id, state=InboundMessage.State.RECEIVED).first()
    if message is None or not needed(message):
        return True
    rows = InboundMessage.objects.filter(pk=message_id, state=InboundMessage.State.RECEIVED, authentication="")
    try:
        verdict = Verdict.PASSED if _is_vouched_for(message) else Verdict.FAILED
    except dns.NoAnswerNow as error:
        if clock.now() - message.received_at < DNS_OUTAGE_MAX:
            log.warning("mail waits for DNS id=%s: %s", message_id, error)
            rows.update(due_at=clock.now() + TRY_AGAIN, attempts=0)  # it is no poison
            return False
        verdict = Verdict.FAILED
    rows.update(authentication=verdict)
    if verdict == Verdict.FAILED:
        log.info("mail not authenticated id=%s", message_id)
    return True


def stands(message: InboundMessage) -> bool:
    """Whether its From is to be believed."""
    return settings.MAIL_IN_AUTHENTICATION != "strict" or message.authentication in {Verdict.PASSED, Verdict.CONFIRMED}


def _is_vouched_for(message: InboundMessage) -> bool:
    """Raises NoAnswerNow only when nothing else vouches."""
    raw, envelope = bytes(message.raw), message.envelope
    domain = message.sender.rpartition("@")[2].lower()
    unanswered: dns.NoAnswerNow | None = None
    for check in (_by_others, _by_signature, _by_server):
        try:
            if any(_is_aligned(claim, domain) for claim in check(raw, envelope)):
                return True
        except dns.NoAnswerNow as error:
            unanswered = error
    if unanswered:
        raise unanswered
    return False


# --- alignment -------------------------------------------------------------------------------------------------------


def _is_aligned(claim: Claim, domain: str) -> bool:
    if claim.domain == domain:
        return True
    if not claim.domain or claim.method == "dmarc" or _organisation(claim.domain) != _organisation(domain):
        return False
    return not _wants_strict(claim.method, domain)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _organisation(domain: str) -> str:
    return _suffixes().privatesuffix(domain) or domain


def _wants_strict(method: str, domain: str) -> bool:
    """What the domain's DMARC record says; its organisation's when it has none. Without any: relaxed."""
    for name in dict.fromkeys((domain, _organisation(domain))):
        for text in dns.texts(f"_dmarc.{name}"):
            if DMARC.match(text):
                tags = dict(re.findall(rb"(\w+)\s*=\s*([^;\s]+)", text.lower()))
                return bool(tags.get({"dkim": b"adkim", "spf": b"aspf"}[method]) == b"s")
    return False


# --- who vouches -----------------------------------------------------------------------------------------------------


def _by_others(raw: bytes, envelope: dict[str, Any]) -> list[Claim]:
    """What a provider said beside the mail, or our gateway in it: its newest header, which stands on top."""
    claims = [Claim(method, domain.lower()) for method, domain in envelope.get("vouched", [])]
    if settings.MAIL_TRUSTED_AUTHSERV and (envelope.get("provider") or _is_gateway(envelope.get("peer", ""))):
        for value in mime.headers(raw).get_all("Authentication-Results", []):
            found = _results(str(value))
            if found is not None:
                return claims + found
    return claims


def _is_gateway(peer: str) -> bool:
    try:
        return any(ip_address(peer) in ip_network(network) for network in settings.MAIL_GATEWAYS)
    except ValueError:
        return False


def _results(value: str) -> list[Claim] | None:
    """None: another server's word, or rubbish."""
    try:
        header = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + " ".join(value.split()))
    except Exception:  # noqa: BLE001 — whatever anybody wrote there
        return None
    if str(header.authserv_id).lower() != settings.MAIL_TRUSTED_AUTHSERV:
        return None
    about = {"dkim": ("header", "d"), "spf": ("smtp", "mailfrom"), "dmarc": ("header", "from")}
    return [
        Claim(result.method, str(prop.value).rpartition("@")[2].lower())
        for result in header.results
        if result.result == "pass" and result.method in about
        for prop in result.properties
        if (prop.type, prop.name) == about[result.method]
    ]


def _by_signature(raw: bytes, envelope: dict[str, Any]) -> list[Claim]:
    """The domains whose DKIM signature covers the mail as it came, its From included."""
    claims, unanswered = [], None
    for index in range(SIGNATURES_MAX):
        signed = dkim.DKIM(raw)
        try:
            if signed.verify(idx=index, dnsfunc=_key_record) and b"l" not in signed.signature_fields:
                claims.append(Claim("dkim", signed.domain.decode("ascii").lower()))
        except dns.NoAnswerNow as error:
            unanswered = error
        except Exception as error:  # noqa: BLE001 — anything may stand in a signature
            log.debug("signature cannot be read: %s", error)
    if unanswered and not claims:
        raise unanswered
    return claims


def _key_record(name: bytes, timeout: float = dns.LOOKUP_SECONDS) -> bytes | None:
    found = dns.texts(name.decode("ascii", "replace"), timeout)
    return found[0] if found else None


def _by_server(raw: bytes, envelope: dict[str, Any]) -> list[Claim]:
    """SPF: the domain of MAIL FROM, when it names the server that brought the mail. A gateway only passed it on."""
    peer, mail_from = envelope.get("peer", ""), envelope.get("mail_from", "")
    if not peer or "@" not in mail_from or _is_gateway(peer):
        return []
    try:
        result, why = spf.check2(i=peer, s=mail_from, h=envelope.get("helo", ""), querytime=SPF_SECONDS)
    except Exception:  # noqa: BLE001 — records are written by anybody
        log.info("SPF of %s cannot be read", mail_from)
        return []
    if result == "temperror":
        raise dns.NoAnswerNow(why)
    return [Claim("spf", mail_from.rpartition("@")[2].lower())] if result == "pass" else []


def _spf_lookup(name: str, kind: str, _tcp: object = True, timeout: float = dns.LOOKUP_SECONDS) -> list[Any]:
    """pyspf's own look-up, by our resolver."""
    read: dict[str, Callable[[Any], Any]] = {
        "A": lambda record: record.address,
        "AAAA": lambda record: record.address,
        "MX": lambda record: (record.preference, record.exchange.to_text(True)),
        "PTR": lambda record: record.target.to_text(True),
        "TXT": lambda record: record.strings,
    }
    if kind not in read:
        return []
    try:
        return [((name, kind), read[kind](record)) for record in dns.records(name, kind, timeout)]
    except dns.NoAnswerNow as error:
        raise spf.TempError(str(error)) from error


spf.DNSLookup = _spf_lookup
