"""The sandbox page and what its script asks for."""

from django.urls import path

from sandbox import acts, gifts, happened, page

urlpatterns = [
    path("", page.page, name="sandbox"),
    path("state", happened.state, name="sandbox_state"),
    path("letters", happened.letters, name="sandbox_letters"),
    path("text", acts.text, name="sandbox_text"),
    path("mail", acts.mail, name="sandbox_mail"),
    path("reply", acts.reply, name="sandbox_reply"),
    path("app", acts.app, name="sandbox_app"),
    path("phone", acts.phone, name="sandbox_phone"),
    path("trouble", acts.trouble, name="sandbox_trouble"),
    path("gifts", gifts.page, name="sandbox_gifts"),
    path("clock", acts.move_clock, name="sandbox_clock"),
]
