"""How a number or mail address becomes somebody's: by a code from HR, or because they confirm it where we know them.

HR's file is the usual way. Here are the two others, for who writes from an address that is nobody's, or that was a
colleague's once: numbers are given out again. Whoever had it before loses it in the same transaction.
"""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound
from backend.ids import clear_code
from notifications import item_codes, outbox, segments
from notifications.models import Channel, ItemCode
from notifications.reply_targets import Mail
from notifications.verbs import Command
from people.models import AddressClaim, JoinCode, Person

CODE_LENGTH = 8  # of 24 letters and digits: 10^11, against five tries a day
CODE_VALID = timedelta(days=30)
CLAIM_VALID = timedelta(hours=24)
CLAIMS_PER_DAY = 3  # about one person, so that nobody can flood them
FIELD = {Channel.SMS: "mobile", Channel.EMAIL: "email"}


# --- a code from HR --------------------------------------------------------------------------------------------------


def normal(code: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", code.upper())


def digest_of(code: str) -> bytes:
    """Keyed: who reads the table cannot try all codes."""
    return salted_hmac("people.joining", normal(code), algorithm="sha256").digest()


@transaction.atomic
def make_code(person: Person) -> str:
    """A fresh code for this person, shown once; the one before works no more."""
    code = clear_code(CODE_LENGTH)
    keep_code(person, code)
    return f"{code[:4]}-{code[4:]}"


@transaction.atomic
def keep_code(person: Person, code: str) -> bool:
    """The code that HR printed is this person's. False: known already. Raises ValueError when another's."""
    digest = digest_of(code)
    known = JoinCode.objects.filter(digest=digest).first()
    if known is not None:
        if known.person_id != person.pk:
            raise ValueError("this join code was given to somebody else")
        return False
    at = clock.now()
    Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    JoinCode.objects.filter(person=person, used_at__isnull=True).update(used_at=at)
    JoinCode.objects.create(person=person, digest=digest, created_at=at, expires_at=at + CODE_VALID)
    return True


def join_by_text(command: Command) -> str:
    """MEEDOEN + code: the number or address that this came from is theirs. Wrong, used, old: one and the same sentence."""
    at = clock.now()
    rows = JoinCode.objects.filter(digest=digest_of(command.text), used_at__isnull=True, expires_at__gt=at)
    code = rows.select_related("person").first()
    if code is None or not code.person.is_active or not rows.update(used_at=at):
        raise Invalid(_("This code does not work (any more). Ask HR for a new one."))
    hand_over(code.person, command.channel, command.sender)
    with translation.override(code.person.language):
        return _("Welcome %(name)s! You can ask and answer from here. HELP tells what you can do.") % {
            "name": code.person.first_name
        }


@transaction.atomic
def hand_over(person: Person, channel: str, value: str) -> None:
    """From now on `value` is this person's; whoever had it has it no more. Who loses something hears of it elsewhere."""
    field = FIELD[Channel(channel)]
    value = value.lower() if channel == Channel.EMAIL else value
    # All in one order, so that two who swap do not wait for each other.
    list(Person.objects.select_for_update(no_key=True).filter(**{field: value}).order_by("pk"))
    person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    for other in Person.objects.filter(**{field: value}).exclude(pk=person.pk):
        setattr(other, field, None)
        other.save(update_fields=[field])
    if getattr(person, field) == value:
        person.addresses.filter(channel=channel).update(stopped_at=None, since=clock.now())
    setattr(person, field, value)
    person.save(update_fields=[field])
    _tell_elsewhere(person, channel, value)


def _tell_elsewhere(person: Person, channel: str, value: str) -> None:
    """So that a theft does not stay unseen."""
    with translation.override(person.language):
        text = _("%(value)s is yours from now on. Not you? Tell the duty desk at once.") % {"value": _masked(value)}
        for other in person.addresses.exclude(channel=channel).filter(stopped_at__isnull=True):
            _send(person, other.channel, other.value, text, key=f"address:{person.pk}:{clock.real().timestamp()}")


def _send(person: Person, channel: str, to: str, text: str, *, key: str, reply_key: str = "") -> None:
    is_mail = channel == Channel.EMAIL
    words: dict[str, Any] = {"subject": _("Your number or address"), "reply_key": reply_key} if is_mail else {}
    body = text if is_mail else segments.plain(text)
    outbox.enqueue(
        key=f"{key}:{channel}", channel=channel, to=to, person=person, language=person.language, body=body, **words
    )


def _masked(value: str) -> str:
    """The end of a number, the beginning of an address: enough to know one's own by."""
    return f"{value[0]}...@{value.split('@')[1]}" if "@" in value else f"...{value[-4:]}"


# --- a new number, confirmed on the old one --------------------------------------------------------------------------


def claim_by_text(command: Command) -> str:
    """NUMMER + work mail or personnel number: asks that person, where we know them. What is said is always the same."""
    wanted = command.text.strip().strip(".,").lower()
    people = Person.objects.present()
    person = (people.filter(email=wanted) if "@" in wanted else people.filter(employee_number__iexact=wanted)).first()
    if person is not None and wanted:
        _claim(person, command.channel, command.sender, command.received_at)
    return _("If we know you, a question came to your other number or address. Reply to it there within a day.")


def _claim(person: Person, channel: str, value: str, at: datetime) -> None:
    value = value.lower() if channel == Channel.EMAIL else value
    elsewhere = [row for row in person.addresses.filter(stopped_at__isnull=True) if row.value != value]
    recent = AddressClaim.objects.filter(person=person, created_at__gt=at - timedelta(days=1)).count()
    is_theirs = person.addresses.filter(channel=channel, value=value, stopped_at__isnull=True).exists()
    if not elsewhere or recent >= CLAIMS_PER_DAY or is_theirs:
        return
    try:
        with transaction.atomic():
            claim = AddressClaim.objects.create(
                person=person, channel=channel, value=value, created_at=at, expires_at=at + CLAIM_VALID
            )
    except IntegrityError:  # asked already
        return
    _ask(claim, elsewhere)


def _ask(claim: AddressClaim, elsewhere: list[Any]) -> None:
    """By every other way: who has lost their phone reads mail, who has no mail still has the old phone."""
    person = claim.person
    with translation.override(person.language):
        item = item_codes.open_for(person, claim.item, _("new: %(value)s") % {"value": claim.value})
        values = {"value": claim.value, "code": item.code}
        text = _(
            "Somebody writes from %(value)s and says to be you. Yours? Reply ACCEPT %(code)s. Not you: DECLINE %(code)s."
        )
        for row in elsewhere:
            _send(person, row.channel, row.value, text % values, key=claim.item, reply_key=item.reply_key)


@transaction.atomic
def decide(person: Person, claim_id: UUID, *, yes: bool) -> AddressClaim:
    """Raises NotFound for somebody else's, Invalid when it is decided or too old. Of two decisions the first counts."""
    at = clock.now()
    claim = AddressClaim.objects.filter(pk=claim_id, person=person).first()
    if claim is None:
        raise NotFound(_("This does not exist."))
    open_ = AddressClaim.objects.filter(pk=claim.pk, decided_at__isnull=True, expires_at__gt=at)
    if not open_.update(decided_at=at, is_confirmed=yes):
        raise Invalid(_("This is decided already, or too old. Text NUMBER again from the new number."))
    item_codes.close(claim.item)
    if yes:
        hand_over(person, claim.channel, claim.value)
    return claim


def claims_to_end(limit: int) -> list[UUID]:
    """Claims that nobody decided in time."""
    rows = AddressClaim.objects.filter(decided_at__isnull=True, expires_at__lte=clock.now()).order_by("expires_at")
    return list(rows.values_list("pk", flat=True)[:limit])


@transaction.atomic
def end_claim(claim_id: UUID) -> None:
    """Its code means nothing any more. Twice is fine."""
    now = clock.now()
    ended = AddressClaim.objects.filter(pk=claim_id, decided_at__isnull=True, expires_at__lte=now)
    if ended.update(decided_at=now):
        item_codes.close(f"address:{claim_id}")


def accept_by_text(command: Command) -> str:
    assert command.item is not None  # noqa: S101 — the registry hands an item to verbs that name kinds
    return _decided(command.person, command.item, command.sender, yes=True)


def decline_by_text(command: Command) -> str:
    assert command.item is not None  # noqa: S101 — as above
    return _decided(command.person, command.item, command.sender, yes=False)


def _decided(person: Person, item: ItemCode, sender: str, *, yes: bool) -> str:
    claim = decide(person, UUID(item.item.split(":")[1]), yes=yes)
    if not yes:
        return _("Thank you. Nothing changes.")
    welcome = _("This is yours from now on, %(name)s. HELP tells what you can do.") % {"name": person.first_name}
    if claim.channel == Channel.SMS:
        _send(person, claim.channel, claim.value, welcome, key=f"{claim.item}:welcome")
    return _("%(value)s is yours from now on.") % {"value": claim.value}


def by_mail(item: ItemCode, mail: Mail) -> str:
    """A reply to our question: JA or NEE as the first word."""
    first = normal(mail.text.split(None, 1)[0] if mail.text.split() else "")
    if first not in {"JA", "ACCEPT", "NEE", "DECLINE"}:
        return _("Reply ACCEPT or DECLINE.")
    return _decided(mail.person, item, "", yes=first in {"JA", "ACCEPT"})
