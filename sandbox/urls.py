"""The sandbox page and what it asks for."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
