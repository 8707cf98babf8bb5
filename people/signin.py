"""Sign-in by one-time code to work mail or mobile: allauth's flow, our people, our deliveries and our access token."""

from typing import Any

import phonenumbers
from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from backend import rate
from notifications.models import Channel
from people import codes, sessions
from people.models import AccessToken, Person

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


class AccountAdapter(DefaultAccountAdapter):
    """People exist already (HR): nobody signs up, and an unknown address looks like a known one."""

    def logout(self, request: HttpRequest) -> None:
        """allauth's own sign-out ends what the session gave out as well."""
        for token_id in request.session.get(TOKENS, []):
            sessions.sign_out(str(token_id))
        super().logout(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        """For its limits. Behind a proxy everybody would share the proxy's address."""
        return rate.address_of(request)

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
        return codes.fresh()

    def generate_login_code(self) -> str:
        return codes.fresh()

    def send_unknown_account_sms(self, phone: str, **kwargs: Any) -> None:
        """Nothing goes to strangers."""
        codes.send_to_nobody(Channel.SMS)

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **kwargs: Any) -> None:
        codes.send(self.request, user, Channel.SMS, code)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Only codes go out, and only to people; anything else allauth might want to write is not ours to send."""
        person = Person.objects.present().filter(email__iexact=email).first()
        if template_prefix == LOGIN_CODE_TEMPLATE and person is not None:
            codes.send(self.request, person, Channel.EMAIL, context["code"])
        else:
            codes.send_to_nobody(Channel.EMAIL)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> Any:
        raise PermissionDenied

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return "/admin/"
