"""The friend's page of a gift, without sign-in. Opening shows, pressing claims; it needs no JavaScript."""

from typing import Any
from urllib.parse import urlsplit

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Refusal
from backend.pages import content_policy, secret_page
from rewards import codes, gifts, ledger, words
from rewards.models import Account, Gift


def _language(request: HttpRequest, gift: Gift | None) -> str:
    wanted = request.GET.get("lang", "")
    own = gift.language if gift else (translation.get_language() or "nl")[:2]
    return wanted if wanted in {"nl", "en"} else own


@secret_page
def gift_page(request: HttpRequest, secret: str) -> HttpResponse:
    """What it is and from whom; POST claims it; from then on its code."""
    gift = gifts.by_secret(secret)
    language = _language(request, gift)
    with translation.override(language):
        if gift is None:  # never was, or a newer link took its place
            return render(request, "rewards/no_gift.html", {"language": language}, status=404)
        problem, status = "", 200
        if request.method == "POST":
            try:
                _claim(request, gift)
                return redirect(request.get_full_path())
            except Refusal as refusal:
                problem, status = refusal.message, refusal.status
        page = render(request, "rewards/gift.html", {**_shown(gift, language), "problem": problem}, status=status)
        page["Content-Security-Policy"] = content_policy(img_src=f"'self' data: {_origin(gift.offer.picture_url)}".strip())
        return page


def _origin(url: str) -> str:
    """Where the offer's picture lies: the only foreign place that this page asks anything of. Empty without one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def _claim(request: HttpRequest, gift: Gift) -> None:
    """Raises what `gifts.claim` raises, and OwnGift in a browser in which the giver is signed in. Nothing is kept of it."""
    if request.user.pk == gift.giver_id:
        raise gifts.OwnGift(_("You are signed in here, and this is your own gift. Let your friend open the link."))
    recipient = request.POST.get("recipient", "")[:254]
    ledger.retried(lambda: gifts.claim(gift.pk, recipient=recipient))


def _shown(gift: Gift, language: str) -> dict[str, Any]:
    offer, at = gift.offer, clock.now()
    usable = gift.state in Gift.AT_TILL and gift.ends_at > at and not gift.frozen_at
    code = codes.shown(codes.voucher(gift.pk, gift.secret_number).code) if usable else ""
    return {
        "gift": gift,
        "from_name": gift.giver.first_name,
        "title": offer.title(language),
        "text": offer.text(language),
        "terms": offer.terms(language),
        "worth": words.worth(offer, language),
        "picture_url": offer.picture_url,
        "shops": [shop.name for shop in offer.shops.all() if shop.is_active],
        "can_claim": gift.state == Gift.State.HANDED_OUT and gift.ends_at > at and not gift.frozen_at,
        "asks_recipient": offer.asks_recipient,
        "until": words.last_day(gift.ends_at),
        "code": code,
        "qr": segno.make(code.replace("-", ""), error="m").svg_data_uri(border=2, omitsize=True) if code else "",
        "left": words.money(Account.objects.get(pk=gift.account_id).available, language) if code else "",
        "is_part": gift.state == Gift.State.PART_REDEEMED,
        "over": _over(gift) if not usable else "",
        "language": language,
    }


def _over(gift: Gift) -> str:
    if gift.state in {Gift.State.REDEEMED, Gift.State.REFUNDED}:
        return _("This was used. We hope you enjoyed it!")
    if gift.frozen_at:
        return _("This is not available right now.")
    return _("This is not available any more.")


@secret_page
def calendar(request: HttpRequest, secret: str) -> HttpResponse:
    """The last day as an entry for any calendar. Holds no code and no link: calendars are shared."""
    gift = gifts.by_secret(secret)
    if gift is None or gift.state not in Gift.AT_TILL:
        return HttpResponse(status=404)
    language = _language(request, gift)
    with translation.override(language):
        what = _("Last day: %(title)s") % {"title": gift.offer.title(language)}
    day = words.last_date(gift.ends_at)
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CEO-app//gift//EN", "BEGIN:VEVENT"),
        f"UID:{gift.pk}@ceo-app",
        f"DTSTAMP:{clock.now():%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
        f"SUMMARY:{_escaped(what)}",
        *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P3D", f"DESCRIPTION:{_escaped(what)}", "END:VALARM"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
    headers = {"Content-Disposition": 'attachment; filename="gift.ics"'}
    return HttpResponse("\r\n".join(lines), content_type="text/calendar; charset=utf-8", headers=headers)


def _escaped(text: str) -> str:
    """As RFC 5545 wants text: commas, semicolons, backslashes and line ends."""
    for char, written in (("\\", "\\\\"), (",", "\\,"), (";", "\\;"), ("\r", ""), ("\n", "\\n")):
        text = text.replace(char, written)
    return text
