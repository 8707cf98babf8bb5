"""What the app must know before everything else: `GET /config`, and the files by which phones trust our links."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.shortcuts import redirect
from ninja import Router
from pydantic import Field

from backend import clock
from backend.manners import Schema
from people import ground_rules, single_sign_on

router = Router(tags=["app"])
LINKS = "/app/"  # https://<our host>/app/KIND/ID opens the app where ceo-app://KIND/ID does


class MinimumVersions(Schema):
    ios: str = Field(description="`1.4.2`; empty for any.", max_length=20)
    android: str = Field(description="`1.4.2`; empty for any.", max_length=20)


class Flags(Schema):
    push: bool = Field(description="Pushes are sent: ask for the permission, register the phone.")
    personal_scores: bool = Field(description="The company counts people's own figures, and shows them to themselves.")


class ConfigOut(Schema):
    """The same for everybody."""

    minimum_versions: MinimumVersions = Field(description="Below it the app asks to be updated, and does nothing else.")
    ground_rules_version: int = Field(description="Of `get_ground_rules`; 0 while there are none.", ge=0)
    events_url: str = Field(description="Where `stream_events` is answered.", max_length=300)
    link_prefix: str = Field(description="Links below it are the app's: `<prefix>question/<id>`.", max_length=300)
    single_sign_on: str = Field(description="What its button says; empty: there is none.", max_length=80)
    languages: list[str] = Field(description="That the API speaks.")
    flags: Flags = Field(description="What is switched on. May grow.")


@router.get(
    "/config", response={200: ConfigOut}, auth=None, operation_id="get_config", summary="What the app must know first"
)
def get_config(request: HttpRequest) -> Any:
    """No sign-in. Ask at every start with `If-None-Match`."""
    rules = ground_rules.current(clock.now())
    return ConfigOut(
        minimum_versions=MinimumVersions(ios=settings.IOS_MINIMUM_VERSION, android=settings.ANDROID_MINIMUM_VERSION),
        ground_rules_version=rules.version if rules else 0,
        events_url=settings.EVENTS_URL,
        link_prefix=f"{settings.PUBLIC_BASE_URL}{LINKS}",
        single_sign_on=single_sign_on.button(),
        languages=[code for code, _name in settings.LANGUAGES],
        flags=Flags(push=settings.PUSH, personal_scores=settings.PERSONAL_SCORES),
    )


# --- links -----------------------------------------------------------------------------------------------------------


def apple_app_site_association(request: HttpRequest) -> JsonResponse:
    """For universal links and for filling in codes; empty lists until the app's id is known."""
    details = [{"appIDs": settings.IOS_APP_IDS, "components": [{"/": f"{LINKS}*"}]}] if settings.IOS_APP_IDS else []
    return JsonResponse({"applinks": {"details": details}, "webcredentials": {"apps": settings.IOS_APP_IDS}})


def asset_links(request: HttpRequest) -> JsonResponse:
    """For Android's app links."""
    target = {
        "namespace": "android_app",
        "package_name": settings.ANDROID_PACKAGE,
        "sha256_cert_fingerprints": settings.ANDROID_CERTIFICATES,
    }
    known = settings.ANDROID_PACKAGE and settings.ANDROID_CERTIFICATES
    statement = {"relation": ["delegate_permission/common.handle_all_urls"], "target": target}
    return JsonResponse([statement] if known else [], safe=False)


def opened_in_a_browser(request: HttpRequest, rest: str) -> Any:
    """A link of the app's on a phone or computer without it."""
    return redirect("/")
