"""What the app needs of allauth's API, and nothing else of it: there are no passwords to set, no addresses to change."""

from allauth.headless.account import views
from allauth.headless.constants import Client
from django.urls import path

urlpatterns = [
    path("code/request", views.RequestLoginCodeView.as_api_view(client=Client.APP)),
    path("code/confirm", views.ConfirmLoginCodeView.as_api_view(client=Client.APP)),
    path("session", views.SessionView.as_api_view(client=Client.APP)),
]
