"""The mounts. The sandbox is reached by string: nothing imports it, and in production it is not there."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from backend import app_config
from backend.api import api, sign_in
from notifications import mail_webhooks, unsubscribe
from notifications import views as notification_views
from questions import views as question_views
from rewards import report_page, till_page
from rewards import views as reward_views


def front_door(request: HttpRequest) -> HttpResponse:
    """People land on the sandbox while there is one, otherwise on the back office."""
    return redirect("/sandbox/" if settings.SANDBOX else "admin:index")


urlpatterns = [
    path("", front_door),
    path("api/v1/", api.urls),
    path(".well-known/apple-app-site-association", app_config.apple_app_site_association),
    path(".well-known/assetlinks.json", app_config.asset_links),
    path("app/<path:rest>", app_config.opened_in_a_browser),
    path("_allauth/app/v1/auth/", sign_in.urls),
    path("accounts/", include("people.urls")),
    path("admin/login/", RedirectView.as_view(pattern_name="account_request_login_code", query_string=True)),
    path("admin/rewards/reports/", admin.site.admin_view(report_page.report_page), name="reports"),
    path("admin/", admin.site.urls),
    re_path(r"^q/(?P<friend_key>[\w-]{16,32})$", question_views.friend_page, name="friend_page"),
    re_path(r"^g/(?P<secret>[\w-]{16,32})$", reward_views.gift_page, name="gift_page"),
    re_path(r"^g/(?P<secret>[\w-]{16,32})/calendar\.ics$", reward_views.calendar, name="gift_calendar"),
    path("till/", till_page.till_page, name="till_page"),
    path("files/<str:token>", question_views.file, name="file"),
    path("a/<str:token>", question_views.answer_page, name="answer_page"),
    path("u/<str:signed>", unsubscribe.page, name="unsubscribe"),
    path("webhooks/twilio/sms", notification_views.twilio_sms),
    path("webhooks/twilio/status/<uuid:delivery_id>", notification_views.twilio_status),
    path("webhooks/second-sms/sms", notification_views.second_sms),
    path("webhooks/second-sms/status", notification_views.second_status),
    path("webhooks/anymail/<path:path>", mail_webhooks.entrance),
    path("i18n/", include("django.conf.urls.i18n")),
    *([path("sandbox/", include("sandbox.urls"))] if settings.SANDBOX else []),
]
