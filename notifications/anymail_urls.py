"""Anymail's own addresses, as they are looked up by `mail_webhooks`. Not mounted: nothing reaches them past it."""

from django.urls import include, path

urlpatterns = [path("", include("anymail.urls"))]
