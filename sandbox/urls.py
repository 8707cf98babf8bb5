"""The sandbox page and what its script asks for."""

from django.urls import path

from sandbox import views

urlpatterns = [
    path("", views.page, name="sandbox"),
    path("state", views.state),
    path("text", views.text),
    path("mail", views.mail),
    path("reply", views.reply),
    path("clock", views.move_clock),
]
