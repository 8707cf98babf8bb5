"""The sandbox page and what its script asks for."""

from django.urls import path

from sandbox import gifts, views

urlpatterns = [
    path("", views.page, name="sandbox"),
    path("state", views.state, name="sandbox_state"),
    path("letters", views.letters, name="sandbox_letters"),
    path("text", views.text, name="sandbox_text"),
    path("mail", views.mail, name="sandbox_mail"),
    path("reply", views.reply, name="sandbox_reply"),
    path("app", views.app, name="sandbox_app"),
    path("phone", views.phone, name="sandbox_phone"),
    path("trouble", views.trouble, name="sandbox_trouble"),
    path("gifts", gifts.page, name="sandbox_gifts"),
    path("clock", views.move_clock, name="sandbox_clock"),
]
