"""Sign-in to the back office: allauth's one-time codes, nothing else of allauth's pages, and single sign-on.

The names are allauth's own: it reverses them. Nobody signs up, and nobody has a password to change or to reset.
"""

from allauth.account import views
from django.urls import path
from django.views.generic import RedirectView

from people import single_sign_on, single_sign_on_views

ask_code = views.RequestLoginCodeView.as_view(extra_context={"single_sign_on": single_sign_on.button})
to_code = RedirectView.as_view(pattern_name="account_request_login_code", query_string=True)

urlpatterns = [
    path("login/", to_code, name="account_login"),
    path("login/code/", ask_code, name="account_request_login_code"),
    path("login/code/confirm/", views.confirm_login_code, name="account_confirm_login_code"),
    path("oidc/login/", single_sign_on_views.begin, name="single_sign_on"),
    path("oidc/callback/", single_sign_on_views.callback, name="single_sign_on_callback"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", to_code, name="account_inactive"),
    path("signup/", to_code, name="account_signup"),
    path("reauthenticate/", to_code, name="account_reauthenticate"),
]
