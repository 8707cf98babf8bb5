"""Single sign-on to the back office: away to the company's provider, and back."""

import secrets

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from backend.errors import Refusal
from people import single_sign_on
from people.single_sign_on import SignInRefused

SESSION = "single_sign_on"  # in the browser's session, between leaving and coming back: what must be the same then


def _redirect_uri() -> str:
    return f"{settings.PUBLIC_BASE_URL}{reverse('single_sign_on_callback')}"


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    messages.error(request, refusal.message)
    return redirect("account_request_login_code")


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    if not settings.OIDC_ISSUER:
        raise Http404
    attempt, state, verifier = single_sign_on.begin(), secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    try:
        address = single_sign_on.authorization_url(
            redirect_uri=_redirect_uri(), state=state, nonce=attempt.nonce, verifier=verifier
        )
    except Refusal as refusal:
        return _refused(request, refusal)
    kept = {"secret": attempt.secret, "state": state, "verifier": verifier, "next": request.POST.get("next", "")}
    request.session[SESSION] = kept
    return redirect(address)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Only for the browser that left from here, and once."""
    if not settings.OIDC_ISSUER:
        raise Http404
    kept = request.session.pop(SESSION, None)
    try:
        if kept is None or not secrets.compare_digest(kept["state"].encode(), request.GET.get("state", "").encode()):
            raise SignInRefused("state")
        if not request.GET.get("code"):
            raise SignInRefused("cancelled, or refused by the provider")
        id_token = single_sign_on.exchange(request.GET["code"], redirect_uri=_redirect_uri(), verifier=kept["verifier"])
        claims = single_sign_on.claims_of(id_token, secret=kept["secret"], audience=settings.OIDC_CLIENT_ID)
        person = single_sign_on.person_of(claims)
        if not person.is_staff:
            raise SignInRefused("not for the back office")
    except Refusal as refusal:
        return _refused(request, refusal)
    login(request, person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect(_next(request, kept["next"]))


def _next(request: HttpRequest, wanted: str) -> str:
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if wanted and is_ours else reverse("admin:index")
