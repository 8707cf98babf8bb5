"""What people read about credits and gifts."""

from datetime import date, datetime, timedelta
from typing import Any

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from people.models import Person
from rewards import days
from rewards.ledger import Wallet
from rewards.models import BadgeRule, Gift, Kudos, Offer
from rewards.statement import Line


def money(cents: int, language: str) -> str:
    """`€ 12,50` in Dutch, `€12.50` in English."""
    amount = f"{cents // 100}.{cents % 100:02}"
    return f"€ {amount.replace('.', ',')}" if language == "nl" else f"€{amount}"


def worth(offer: Offer, language: str) -> str:
    """`€ 10,00`, or `20 %, at most € 10,00`."""
    value = money(offer.value_cents, language)
    if offer.kind != Offer.Kind.PERCENTAGE:
        return value
    with translation.override(language):
        return _("%(percentage)s %% off, at most %(value)s") % {"percentage": offer.percentage, "value": value}


def last_date(ends_at: datetime) -> date:
    """The last local day on which something that ends at `ends_at` is good."""
    return days.day_of(ends_at - timedelta(microseconds=1))


def last_day(ends_at: datetime) -> str:
    """The same in words, in the active language."""
    return date_format(last_date(ends_at), "j F Y")


def gift_moved(gift: Gift, what: str) -> dict[str, Any]:
    language = gift.giver.language
    with translation.override(language):
        title = gift.offer.title(language)
        if what == "claimed":
            line = _("Your gift %(title)s was claimed.") % {"title": title}
        else:
            line = _("Your gift %(title)s was redeemed.") % {"title": title}
        return {"title": line, "body": line, "sms": line}


def thanked(made: Kudos) -> dict[str, Any]:
    language = made.receiver.language
    with translation.override(language):
        values = {"name": made.giver.name, "note": made.note, "credits": made.credits}
        title = _("%(name)s thanks you") % values
        body = _("%(name)s thanks you: %(note)s") % values
        if made.credits:
            body = _("%(name)s thanks you, with %(credits)s credits: %(note)s") % values
        return {"title": title, "body": body, "sms": body}


def badge_awarded(rule: BadgeRule, language: str) -> dict[str, Any]:
    with translation.override(language):
        line = _("You earned a badge: %(name)s.") % {"name": rule.name(language)}
        return {"title": line, "body": line, "sms": line}


def reviewed(act: str, person: Person) -> dict[str, Any]:
    """For whom a review is about. Not why: that may be about others."""
    with translation.override(person.language):
        if act == "freeze":
            line = _("Gifts or credits of yours are on hold while we look at them. Questions? Ask the duty desk.")
        elif act == "release":
            line = _("Your gifts and credits are free again. Thank you for waiting.")
        else:
            line = _("Gifts or credits of yours were taken back after a review. Questions? Ask the duty desk.")
        return {"title": line, "body": line, "sms": line}


def suspicion(reason: str, names: list[str], numbers: dict[str, int]) -> str:
    """Why it is on the review list, as a sentence in the active language."""
    values = {"names": ", ".join(names), **numbers}
    if reason == "ring":
        return _("%(names)s gave each other credits in a ring: %(credits)s within %(days)s days.") % values
    if reason == "reciprocal":
        return _("%(names)s gave each other credits: %(credits)s within %(days)s days.") % values
    if reason == "own_gift":
        return _("A gift of %(names)s was claimed with an address of their own.") % values
    if reason == "many_givers":
        return _("%(count)s colleagues gave to one and the same person within %(days)s days: %(names)s.") % values
    if reason == "one_receipt":
        return _("Gifts of %(count)s colleagues were used on one receipt: %(names)s.") % values
    return _("Put on the list by hand: %(names)s.") % values


def balance(person: Person, wallet: Wallet) -> str:
    """For an SMS, in the active language."""
    values = {
        "total": wallet.allowance + wallet.earned,
        "allowance": wallet.allowance,
        "earned": wallet.earned,
        "held": wallet.held,
    }
    text = _("You can give %(total)s credits: allowance %(allowance)s, earned %(earned)s.") % values
    if wallet.next_expiry:
        text += " " + _("%(count)s of them until %(day)s.") % {
            "count": wallet.next_expiry_credits,
            "day": date_format(days.day_of(wallet.next_expiry - timedelta(microseconds=1), person.zone), "j F"),
        }
    if wallet.held:
        text += " " + _("%(held)s are set aside for gifts.") % values
    return text


def offers(rows: list[Offer], person: Person) -> str:
    """What can be texted, with prices, in the active language."""
    if not rows:
        return _("There is nothing to give right now.")
    names = ", ".join(f"{offer.slug} ({offer.price_credits})" for offer in rows)
    return _("You can give: %(names)s. Text GIVE %(first)s and, if you like, a note.") % {
        "names": names,
        "first": rows[0].slug,
    }


def give_what(offer: Offer, person: Person) -> str:
    return _("Give %(title)s for %(price)s credits") % {
        "title": offer.title(person.language),
        "price": offer.price_credits,
    }


def moment(at: datetime) -> str:
    """`3 March 2027 14:05` in the company's time."""
    return date_format(at.astimezone(days.COMPANY), "j F Y H:i")


def statement_line(line: Line, person: Person) -> str:
    """`25-11 -10 gift (90)`: the day, what moved, why, and what there was afterwards."""
    local = line.at.astimezone(person.zone)
    why = {
        "allowance": _("allowance"),
        "earned": _("earned"),
        "clawback": _("taken back"),
        "kudos": _("thanks"),
        "gift": _("gift"),
        "renewed": _("renewed"),
        "lapsed": _("lapsed"),
    }.get(line.reason, _("correction"))
    return f"{local.day}-{local.month} {line.amount:+} {why} ({line.balance})"


def gift_state(state: str) -> str:
    """For the giver, in the active language."""
    return {
        "handed_out": _("not claimed yet"),
        "claimed": _("claimed"),
        "part_redeemed": _("partly used"),
        "redeemed": _("used"),
        "cancelled": _("taken back"),
        "unclaimed": _("not claimed in time"),
        "lapsed": _("not used in time"),
        "refunded": _("refunded"),
    }.get(state, state)
