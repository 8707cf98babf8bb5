"""What people read about credits and gifts."""

from datetime import date, datetime, timedelta

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from rewards import days, sharing
from rewards.models import Gift, Offer


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


def gift_moved(gift: Gift, what: str) -> dict[str, str]:
    language = gift.giver.language
    with translation.override(language):
        title = gift.offer.title(language)
        if what == "claimed":
            line = _("Your gift %(title)s was claimed.") % {"title": title}
        else:
            line = _("Your gift %(title)s was redeemed.") % {"title": title}
        return {"title": line, "body": line, "sms": line}


def handed_out_by_sms(gift: Gift) -> str:
    """For the giver to forward; short enough for two messages."""
    return sharing.share_text(gift)


def moment(at: datetime) -> str:
    """`3 March 2027 14:05` in the company's time."""
    return date_format(at.astimezone(days.COMPANY), "j F Y H:i")
