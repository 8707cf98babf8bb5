"""A till in a browser, for small shops: enter the shop's key once, then scan, photograph or type codes.

Works without JavaScript, all but the live camera. The key lies in a signed cookie that only this page gets. Each form has
its own receipt number: pressing twice sells once.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from backend import clock, rate
from backend.errors import Invalid, NotAllowed, Refusal
from backend.ids import clear_code
from backend.pages import content_policy
from rewards import ledger, redemption, scanning, throttle, words
from rewards.models import Account, Gift, Offer, ShopKey

COOKIE = "till"
COOKIE_SECONDS = 30 * 86_400
RECEIPT_CHARACTERS = 10
EUROS_MAX = 100_000
FIELDS_BYTES_MAX = 20_000  # of a form beside its photo
DRAINED_BYTES_MAX, PART_BYTES = 100_000_000, 1_000_000


@dataclass
class Screen:
    """What the page shows next."""

    problem: str = ""
    done: str = ""
    gift: Gift | None = None
    code: str = ""


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def till_page(request: HttpRequest) -> HttpResponse:
    """The size of what comes is judged first: looking for the CSRF token would already read and store all of it."""
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    response = _page(request) if size <= scanning.BYTES_MAX + FIELDS_BYTES_MAX else _too_large(request, size)
    response["Content-Security-Policy"] = content_policy(script_src="'self'")
    return response


def _too_large(request: HttpRequest, size: int) -> HttpResponse:
    """Read to its end and thrown away, or browsers show a broken connection and not the sentence."""
    for _part in range(min(size, DRAINED_BYTES_MAX) // PART_BYTES + 1):
        if not request.read(PART_BYTES):
            break
    screen = Screen(problem=scanning.too_large().message)
    return render(request, "rewards/till.html", _shown(_key(request), screen), status=scanning.PhotoTooLarge.status)


@csrf_protect
def _page(request: HttpRequest) -> HttpResponse:
    """Opening shows; pressing signs in, looks up, sells or signs out."""
    action, key = request.POST.get("action", ""), _key(request)
    if action == "sign_in":
        return _sign_in(request)
    if action == "sign_out":
        response = redirect(request.path)
        response.delete_cookie(COOKIE, path=request.path)
        return response
    screen, status = Screen(), 200
    if key is not None and request.method == "POST":
        try:
            screen = _act(request, key, action)
        except Refusal as refusal:
            screen, status = Screen(problem=refusal.message, code=request.POST.get("code", "")[:60]), refusal.status
    return render(request, "rewards/till.html", _shown(key, screen), status=status)


def _key(request: HttpRequest) -> ShopKey | None:
    kept = request.get_signed_cookie(COOKIE, default="", salt=COOKIE, max_age=COOKIE_SECONDS)
    return ShopKey.find(kept) if kept else None


def _sign_in(request: HttpRequest) -> HttpResponse:
    typed = request.POST.get("key", "").strip()[:100]
    if ShopKey.find(typed) is None:
        return render(request, "rewards/till.html", _shown(None, Screen(problem=_("This key is not known."))), status=403)
    response = redirect(request.path)
    keep_key(response, typed, is_secure=request.is_secure())
    return response


def keep_key(response: HttpResponse, key: str, *, is_secure: bool) -> None:
    """From now on this browser is a till of the key's shop."""
    response.set_signed_cookie(
        COOKIE,
        key,
        salt=COOKIE,
        max_age=COOKIE_SECONDS,
        path=reverse("till_page"),
        httponly=True,
        samesite="Strict",
        secure=is_secure,
    )


def _act(request: HttpRequest, key: ShopKey, action: str) -> Screen:
    needed = ShopKey.Scope.REDEEM if action == "sell" else ShopKey.Scope.LOOK_UP
    if needed not in key.scopes:
        raise NotAllowed(_("This key may not do that."))
    code = _code(request, action)
    gift = _find(request, key, code)
    if action != "sell":
        redemption.check_usable(gift, clock.now())
        return Screen(gift=gift, code=code)
    basket = request.POST.get("basket", "")
    sale = redemption.Sale(
        request.POST.get("receipt", "")[:60] or clear_code(RECEIPT_CHARACTERS),
        _cents(request.POST.get("amount", "")),
        _cents(basket) if basket else None,
    )
    done = ledger.retried(lambda: redemption.sell(key.shop, gift.pk, sale))
    taken = words.money(done.captured_cents, translation.get_language() or "nl")
    return Screen(done=_("%(amount)s was taken off. Receipt %(receipt)s.") % {"amount": taken, "receipt": done.receipt})


def _code(request: HttpRequest, action: str) -> str:
    """Typed, scanned, or out of the photo. Raises what `scanning.code_in` raises."""
    if action != "read_photo":
        return request.POST.get("code", "")[:60]
    photo = request.FILES.get("photo")
    if photo is None or photo.file is None:
        raise Invalid(_("Take a photo of the code."))
    return scanning.code_in(photo.file, photo.size or 0)


def _find(request: HttpRequest, key: ShopKey, code: str) -> Gift:
    address = rate.address_of(request)
    throttle.check(key.shop_id, address)
    try:
        return redemption.find(key.shop, code)
    except redemption.UnknownCode:
        throttle.count(key.shop_id, address)
        raise


def _cents(text: str) -> int:
    """`12,50`, `12.5` or `12` euros. Raises Invalid."""
    euros, _point, cents = text.strip().replace("€", "").strip().replace(",", ".").partition(".")
    if not (euros.isascii() and euros.isdecimal() and len(cents) <= 2 and (cents or "0").isdecimal()):
        raise Invalid(_("Write the amount like 12,50."))
    total = int(euros[:9]) * 100 + int((cents + "00")[:2])
    if not 0 < total <= EUROS_MAX * 100:
        raise Invalid(_("Write the amount like 12,50."))
    return total


def _shown(key: ShopKey | None, screen: Screen) -> dict[str, Any]:
    language = translation.get_language() or "nl"
    gift = screen.gift
    left = Account.objects.get(pk=gift.account_id).available if gift else 0
    return {
        "shop": key.shop if key else None,
        "screen": screen,
        "title": gift.offer.title(language) if gift else "",
        "worth": words.worth(gift.offer, language) if gift else "",
        "left": words.money(left, language),
        "amount": f"{left // 100},{left % 100:02}",
        "is_percentage": bool(gift and gift.offer.kind == Offer.Kind.PERCENTAGE),
        "until": words.last_day(gift.ends_at) if gift else "",
        "receipt": clear_code(RECEIPT_CHARACTERS),
        "language": language,
    }
