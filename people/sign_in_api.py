"""Single sign-on of the app, where I am signed in, and proving anew that it is me."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import Field, StringConstraints

from backend import clock
from backend.errors import Invalid
from backend.manners import IdempotencyKeyMaybe, Schema, problems
from notifications.models import Device
from people import codes, sessions, single_sign_on, step_up
from people.bearer import caller, session
from people.models import AccessToken

router = Router(tags=["sign-in"])
IdToken = Annotated[str, StringConstraints(min_length=20, max_length=8000, pattern=r"^[A-Za-z0-9_.-]+$")]
Secret = Annotated[str, StringConstraints(min_length=20, max_length=200, pattern=r"^[A-Za-z0-9_:.-]+$")]


# --- single sign-on --------------------------------------------------------------------------------------------------


class SingleSignOn(Schema):
    """What the app needs to send somebody to the company's provider: authorization code with PKCE, in the browser."""

    name: str = Field(description="What the button says.", max_length=80)
    issuer: str = Field(description="`<issuer>/.well-known/openid-configuration` tells its addresses.", max_length=300)
    client_id: str = Field(description="The app's there.", max_length=200)
    scopes: str = Field(description="To ask for.", max_length=200)
    nonce: str = Field(description="To be sent along; the id_token must carry it.", max_length=60)
    attempt: str = Field(description="To be kept by the app and given back with the id_token.", max_length=200)
    expires_at: datetime = Field(description="UTC. Later than that, begin anew.")


class IdTokenIn(Schema):
    id_token: IdToken = Field(description="As the provider gave it for this `nonce`.")
    attempt: Secret = Field(description="Of `begin_single_sign_on`.")


class SignedIn(Schema):
    access_token: str = Field(description="For `Authorization: Bearer`. Shown once.", max_length=100)
    expires_at: datetime = Field(description="UTC.")
    session_id: UUID = Field(description="Of `list_sessions`.")


@router.post(
    "/sign-in/oidc/begin",
    response={200: SingleSignOn, **problems(404)},
    auth=None,
    operation_id="begin_single_sign_on",
    summary="Begin a single sign-on",
)
def begin_single_sign_on(request: HttpRequest) -> Any:
    """For signing in, and for `step_up`. 404 where there is none: `single_sign_on` of `get_config` is empty then."""
    attempt = single_sign_on.begin()
    return SingleSignOn(
        name=settings.OIDC_NAME,
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_APP_CLIENT_ID,
        scopes=single_sign_on.SCOPES,
        nonce=attempt.nonce,
        attempt=attempt.secret,
        expires_at=clock.real() + single_sign_on.ATTEMPT_VALID,
    )


@router.post(
    "/sign-in/oidc",
    response={200: SignedIn, **problems(403, 404, 503)},
    auth=None,
    operation_id="sign_in_with_oidc",
    summary="Sign in with the provider's id_token",
)
def sign_in_with_oidc(request: HttpRequest, body: IdTokenIn) -> Any:
    """Once for each attempt. `sign_in_refused` says no more than that; `provider_unavailable`: use a code, or try later."""
    person = single_sign_on.person_of(_claims(body))
    token, shown = AccessToken.issue_row(person, request.headers.get("User-Agent", ""))
    return SignedIn(access_token=shown, expires_at=token.expires_at, session_id=token.public_id)


def _claims(body: IdTokenIn) -> dict[str, Any]:
    return single_sign_on.claims_of(body.id_token, secret=body.attempt, audience=settings.OIDC_APP_CLIENT_ID)


# --- sessions --------------------------------------------------------------------------------------------------------


class SessionPhone(Schema):
    """The phone that registered for pushes with this session."""

    device_id: UUID = Field(description="Of `list_devices`.")
    platform: str = Field(description="ios or android.", max_length=7)
    app_version: str = Field(description="As the app told it.", max_length=40)


class SessionOut(Schema):
    """One sign-in of an app."""

    id: UUID
    is_current: bool = Field(description="The one that asks.")
    app: str = Field(description="As the app called itself when it signed in (User-Agent); may be empty.", max_length=200)
    phone: SessionPhone | None = Field(description="Null while it has registered none.")
    created_at: datetime = Field(description="UTC: signed in.")
    used_at: datetime = Field(description="UTC: last used, to the hour.")
    expires_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, token: AccessToken, device: Device | None, current: AccessToken) -> "SessionOut":
        phone = None
        if device is not None:
            phone = SessionPhone(device_id=device.pk, platform=device.platform, app_version=device.app_version)
        return cls(
            id=token.public_id,
            is_current=token.pk == current.pk,
            app=token.user_agent,
            phone=phone,
            created_at=token.created_at,
            used_at=token.used_at or token.created_at,
            expires_at=token.expires_at,
        )


@router.get(
    "/me/sessions",
    response={200: list[SessionOut], **problems()},
    operation_id="list_sessions",
    summary="Where I am signed in",
)
def list_sessions(request: HttpRequest) -> Any:
    """With the app, the newest first; 100 at most."""
    return [SessionOut.of(token, device, session(request)) for token, device in sessions.of(caller(request))]


@router.delete(
    "/me/sessions/{session_id}",
    response={204: None, **problems(404)},
    operation_id="end_session",
    summary="Sign out there",
)
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Its token never works again, its phone gets no more pushes, its streams end within seconds. My own, too."""
    sessions.end(caller(request), session_id)
    return HttpResponse(status=204)


@router.delete(
    "/me/sessions",
    response={204: None, **problems()},
    operation_id="sign_out_everywhere",
    summary="Sign out everywhere",
)
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """Here too: every session of mine, every phone, and the back office."""
    sessions.end_all(caller(request))
    return HttpResponse(status=204)


# --- step-up ---------------------------------------------------------------------------------------------------------


class StepUpCodeIn(Schema):
    channel: Literal["sms", "email"] | None = Field(None, description="Null: by SMS where that is possible, else by mail.")


class StepUpCodeOut(Schema):
    channel: str = Field(description="sms or email: where the code went, to HR's number or address of mine.", max_length=8)
    expires_at: datetime = Field(description="UTC.")


class StepUpIn(Schema):
    """Either the code, or what the provider said."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = Field(
        None, description="Of the newest message; three tries."
    )
    id_token: IdToken | None = Field(
        None, description="Of the provider, asked with `prompt=login` (or `max_age=0`): it must tell `auth_time`."
    )
    attempt: Secret | None = Field(None, description="Of `begin_single_sign_on`; goes with `id_token`.")


class StepUpOut(Schema):
    fresh_until: datetime = Field(description="UTC: until then nothing is asked again.")


@router.post(
    "/me/step-up/code",
    response={200: StepUpCodeOut, **problems(429)},
    operation_id="request_step_up_code",
    summary="Send me a code to prove that it is me",
)
def request_step_up_code(request: HttpRequest, body: StepUpCodeIn) -> Any:
    """After `step_up_required`. The code before works no more. `too_many_codes`: later, or by single sign-on."""
    channel = step_up.send_code(request, session(request), body.channel)
    return StepUpCodeOut(channel=channel, expires_at=clock.real() + codes.LIFETIME)


@router.post(
    "/me/step-up",
    response={200: StepUpOut, **problems(403, 503)},
    operation_id="step_up",
    summary="It is me",
)
def prove(request: HttpRequest, body: StepUpIn, idempotency_key: IdempotencyKeyMaybe = None) -> Any:
    """By a code (`wrong_code`), or by signing in anew at the company's provider (`sign_in_refused`). Then send what was
    refused again, with its key. The same code again changes nothing, with or without a key."""
    token = session(request)
    if body.code and not body.id_token:
        proved = step_up.confirm_code(token, body.code)
    elif body.id_token and body.attempt and not body.code:
        claims = _claims(IdTokenIn(id_token=body.id_token, attempt=body.attempt))
        single_sign_on.check_recent(claims, timedelta(minutes=settings.STEP_UP_MINUTES))
        if single_sign_on.person_of(claims).pk != token.person_id:
            raise single_sign_on.SignInRefused("somebody else")
        proved = step_up.confirm(token)
    else:
        raise Invalid(_("Give a code, or an id_token with its attempt."))
    return StepUpOut(fresh_until=step_up.fresh_until(proved))
