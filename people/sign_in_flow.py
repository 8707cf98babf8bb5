"""Sign-in by code for the app: allauth's own views and paths, behind the signatures, limits and refusals of our API.

allauth leads the flow and says where it stands in its own shape (200: signed in, 401: not yet); whatever goes wrong is told
as everywhere else. One more of allauth's views is one more operation here; what is not here is not served, because others
would let a session set a password or another address.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Self

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.account import views
from allauth.headless.constants import Client
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Header, Router
from pydantic import Field, StringConstraints, model_validator

from backend.errors import NotAllowed, Refusal
from backend.manners import Schema, problem, problems
from people.step_up import TooManyCodes, WrongCode

router = Router(tags=["sign-in"])
SessionToken = Annotated[
    str,
    Header(
        alias="X-Session-Token",
        min_length=1,
        max_length=64,
        pattern="^[!-~]+$",
        description="`meta.session_token` of `request_sign_in_code`; after `confirm_sign_in_code` the one that it gave.",
    ),
]


class NoSignInBegun(Refusal):
    """No sign-in waits for a code: it took too long, or three codes were wrong. Ask for a new one."""

    code = "no_sign_in_begun"
    status = 409


class SignInEnded(Refusal):
    """This session token is not known any more. Begin anew, without it."""

    code = "sign_in_ended"
    status = 410


class CodeRequestIn(Schema):
    """Where the code goes: exactly one of the two."""

    phone: str | None = Field(
        None, min_length=1, max_length=40, description="A mobile number: E.164, or as people write it in the Netherlands."
    )
    email: str | None = Field(None, min_length=3, max_length=254, description="The address at work, as HR has it.")

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if (self.phone is None) == (self.email is None):
            raise ValueError("send either phone or email")
        return self


class SignInCodeIn(Schema):
    code: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(
        description="Six digits, as they came. It lives five minutes and three tries."
    )


class SignInFlow(Schema):
    """A step that is possible; the one to go on with has `is_pending`."""

    id: str = Field(description="`login_by_code` is the one; expect others and ignore them.", max_length=40)
    is_pending: bool = Field(False, description="A code is on its way.")


class SignInFlows(Schema):
    flows: list[SignInFlow] = Field(description="What can be done now.")


class SignInMeta(Schema):
    is_authenticated: bool = Field(description="Whether somebody is signed in.")
    session_token: str | None = Field(None, max_length=64, description="For `X-Session-Token`. Absent when nothing is new.")


class SignInPending(Schema):
    """Not signed in (yet): allauth tells it with status 401, which is no failure here."""

    status: int = Field(description="The HTTP status again: 401.")
    data: SignInFlows = Field(description="How it can go on.")
    meta: SignInMeta = Field(description="The flow itself.")


class SignInPerson(Schema):
    id: str = Field(description="UUID of the person.", max_length=36)
    display: str = Field(description="Their name.", max_length=200)


class SignInData(Schema):
    user: SignInPerson = Field(description="Who signed in.")


class SignedInMeta(SignInMeta):
    access_token: str | None = Field(
        None, max_length=100, description="For `Authorization: Bearer`. Only `confirm_sign_in_code` gives it, once."
    )


class SignInDone(Schema):
    """Signed in."""

    status: int = Field(description="The HTTP status again: 200.")
    data: SignInData = Field(description="Who it is.")
    meta: SignedInMeta = Field(description="The tokens.")


@router.post(
    "/code/request",
    response={401: SignInPending, **problems(403, 429, without=(401,))},
    operation_id="request_sign_in_code",
    summary="Ask for a code to sign in",
)
def request_sign_in_code(request: HttpRequest, body: CodeRequestIn) -> Any:
    """By SMS or mail, within seconds. 401 is what comes when all is well: somebody must confirm now, with
    `meta.session_token`. An unknown number looks just the same. `too_many_codes`: three a minute, fifteen a day."""
    return _led(_request, request)


@router.post(
    "/code/confirm",
    response={200: SignInDone, **problems(403, 409, 410, without=(401,))},
    operation_id="confirm_sign_in_code",
    summary="Sign in with the code",
)
def confirm_sign_in_code(request: HttpRequest, session_token: SessionToken, body: SignInCodeIn) -> Any:
    """`meta.access_token` is what the app keeps. `wrong_code`: try again; after three, or five minutes, `no_sign_in_begun`:
    ask for a new code. `sign_in_ended`: the session token is not known."""
    return _led(_confirm, request)


@router.get(
    "/session",
    response={200: SignInDone, 401: SignInPending, **problems(410, without=(401,))},
    operation_id="get_sign_in",
    summary="Where a sign-in stands",
)
def get_sign_in(request: HttpRequest, session_token: SessionToken) -> Any:
    """After the app was killed while its code was on the way: 401 says whether it `is_pending`. `sign_in_ended`: begin
    anew."""
    return _led(_session, request)


@router.delete(
    "/session",
    response={401: SignInPending, **problems(410, without=(401,))},
    operation_id="abandon_sign_in",
    summary="End a sign-in session",
)
def abandon_sign_in(request: HttpRequest, session_token: SessionToken) -> Any:
    """Given up half-way, or signed in: then its access token ends as well. 401 is what comes when all is well: nobody is
    signed in. An app that keeps only its access token uses `sign_out`. `sign_in_ended`: it was over already."""
    return _led(_session, request)


_request = views.RequestLoginCodeView.as_api_view(client=Client.APP)
_confirm = views.ConfirmLoginCodeView.as_api_view(client=Client.APP)
_session = views.SessionView.as_api_view(client=Client.APP)


def _led(view: Callable[..., Any], request: HttpRequest) -> HttpResponse:
    """allauth's answer; raises, or gives as a problem, what it refuses."""
    try:
        response: HttpResponse = view(request)
    except ImmediateHttpResponse as early:  # allauth's middleware would catch it too late for us
        response = early.response
    except PermissionDenied as error:
        raise NotAllowed(_("You cannot sign in.")) from error
    if response.status_code == 409:
        raise NoSignInBegun(_("This took too long, or too many codes were wrong. Ask for a new code."))
    if response.status_code == 410:
        raise SignInEnded(_("This sign-in is over. Begin anew."))
    return _refused(response) if response.status_code == 400 else response


def _refused(response: HttpResponse) -> HttpResponse:
    """What allauth's forms found wrong."""
    found = json.loads(response.content or b"{}").get("errors", [])
    codes = {error["code"] for error in found}
    if "too_many_login_attempts" in codes:
        raise TooManyCodes(_("Too many codes. Try again later."), retry_after=60)
    if "incorrect_code" in codes:
        raise WrongCode(_("This code is not right (any more)."))
    errors = [
        {"field": f"body.{error.get('param', '')}".rstrip("."), "code": error["code"], "message": error["message"]}
        for error in found
    ]
    return problem(422, "validation_failed", _("Some fields are not right."), errors=errors)
