"""Sign-in by one-time code to work mail or mobile: allauth's flow, our people, our deliveries and our access token."""

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _

from backend import clock
from backend.ids import uuid7
from notifications import devices, outbox
from notifications.models import Channel
from people.models import AccessToken, Person

CODE_LIFETIME = timedelta(seconds=settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT)
TOKENS = "access_tokens"  # in a sign-in session: the access tokens that were issued from it
TOKENS_MAX = 20
LOGIN_CODE_TEMPLATE = "account/email/login_code"


class OwnTokens(SessionTokenStrategy):
    """allauth keeps the sign-in session; what the app uses afterwards is our own bearer token."""

    def create_access_token(self, request: HttpRequest) -> str | None:
        person = request.user
        if not isinstance(person, Person):
            return None
        token, shown = AccessToken.issue_row(person, request.headers.get("User-Agent", ""))
        request.session[TOKENS] = [*request.session.get(TOKENS, []), token.pk][-TOKENS_MAX:]
        return shown


@transaction.atomic
def sign_out(token_id: str) -> None:
    """This access token never works again, and the phone that registered with it gets no more pushes."""
    AccessToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=clock.real())
    devices.signed_out(token_id)


@transaction.atomic
def sign_out_everywhere(person: Person) -> int:
    """Every access token, phone and back-office session of this person; returns how many of the app's sign-ins ended."""
    live = AccessToken.objects.filter(person=person, revoked_at__isnull=True, expires_at__gt=clock.real())
    count = live.update(revoked_at=clock.real())
    devices.left(person)
    person.set_unusable_password()  # a fresh one: sessions are bound to it
    person.save(update_fields=["password"])
    return count


class AccountAdapter(DefaultAccountAdapter):
    """People exist already (HR): nobody signs up, and an unknown address looks like a known one."""

    def logout(self, request: HttpRequest) -> None:
        """allauth's own sign-out ends what the session gave out as well."""
        for token_id in request.session.get(TOKENS, []):
            sign_out(str(token_id))
        super().logout(request)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def clean_phone(self, phone: str) -> str:
        """E.164; a number without a country is Dutch. What is no number stays as typed and finds nobody."""
        try:
            number = phonenumbers.parse(phone, "NL")
        except phonenumbers.NumberParseException:
            return phone
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def phone_form_field(self, **kwargs: Any) -> Any:
        """Numbers may be typed as people write them; `clean_phone` makes them E.164."""
        from allauth.account.fields import PhoneField  # its module imports the adapter

        return PhoneField(validators=[], **kwargs)

    def get_user_by_phone(self, phone: str) -> Person | None:
        return Person.objects.present().filter(mobile=self.clean_phone(phone)).first()

    def get_phone(self, user: Any) -> tuple[str, bool] | None:
        return (user.mobile, True) if user.mobile else None

    def set_phone(self, user: Any, phone: str, verified: bool) -> None:
        """HR's record is the truth: numbers are not changed by signing in."""

    def set_phone_verified(self, user: Any, phone: str) -> None:
        """HR's numbers count as verified."""

    def generate_phone_verification_code(self, *, user: Any, phone: str) -> str:
        return f"{secrets.randbelow(1_000_000):06}"

    def generate_login_code(self) -> str:
        return f"{secrets.randbelow(1_000_000):06}"

    def send_unknown_account_sms(self, phone: str, **kwargs: Any) -> None:
        """Nothing goes to strangers."""

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **kwargs: Any) -> None:
        """The last line lets iOS fill the code in for this host (https://developer.apple.com/documentation/security)."""
        with translation.override(user.language):
            text = _("%(code)s is your code for %(app)s.") % {"code": code, "app": settings.MAIL_FROM_NAME}
        body = f"{text}\n\n@{urlsplit(settings.PUBLIC_BASE_URL).hostname} #{code}"
        self._send(user, Channel.SMS, user.mobile, body=body)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Only codes go out, and only to people; anything else allauth might want to write is not ours to send."""
        person = Person.objects.present().filter(email__iexact=email).first()
        if template_prefix != LOGIN_CODE_TEMPLATE or person is None:
            return
        with translation.override(person.language):
            values = {"code": context["code"], "app": settings.MAIL_FROM_NAME}
            subject = _("Your code: %(code)s") % values
            body = _("%(code)s is your code for %(app)s. It works for five minutes. Not asked for it? Ignore it.") % values
        self._send(person, Channel.EMAIL, email, subject=subject, body=body)

    def _send(self, person: Person, channel: str, to: str, **words: Any) -> None:
        outbox.enqueue(
            key=f"sign-in:{uuid7()}",
            channel=channel,
            to=to,
            person=person,
            language=person.language,
            is_secret=True,
            lifetime=CODE_LIFETIME,
            **words,
        )

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> Any:
        raise PermissionDenied

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return "/admin/"
