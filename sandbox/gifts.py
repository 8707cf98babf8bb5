"""Gifts to play with: what was handed out with its links, and a till of each demo shop. Opening shows, pressing acts."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.manners import language as spoken
from rewards import codes, till_page, words
from rewards.models import Gift, Offer, Shop, ShopKey

SHOWN = 12


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """POST makes a key for a shop's till, shows it once, and makes this browser that till."""
    shops, shop, key = list(Shop.objects.filter(is_active=True).order_by("name")), None, ""
    if request.method == "POST":
        shop = next((one for one in shops if str(one.pk) == request.POST.get("shop")), None)
        if shop is None:
            raise Http404
        key = ShopKey.issue(shop, label="sandbox")
    language = spoken()
    shown = {
        "language": language,
        "gifts": [_gift(gift, language) for gift in _newest()],
        "offers": Offer.objects.filter(is_active=True),
        "shops": shops,
        "opened": shop,
        "key": key,
    }
    response = render(request, "sandbox/gifts.html", shown)
    if key:
        till_page.keep_key(response, key, is_secure=request.is_secure())
    return response


def _newest() -> list[Gift]:
    return list(Gift.objects.select_related("giver", "offer").order_by("-handed_out_at", "-id")[:SHOWN])


def _gift(gift: Gift, language: str) -> dict[str, str]:
    secret = codes.voucher(gift.pk, gift.secret_number).secret
    return {
        "title": gift.offer.title(language),
        "giver": gift.giver.name,
        "worth": words.worth(gift.offer, language),
        "state": _("under review") if gift.frozen_at else words.gift_state(gift.state),
        "link": reverse("gift_page", kwargs={"secret": secret}),
    }
