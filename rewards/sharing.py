"""The gift's link, and the words with which an employee sends it on with their own phone."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from rewards import codes
from rewards.models import Gift


def link(gift: Gift) -> str:
    """Derived anew each time; only for the giver's eyes."""
    return f"{settings.PUBLIC_BASE_URL}/g/{codes.voucher(gift.pk, gift.secret_number).secret}"


def share_text(gift: Gift) -> str:
    """In the gift's language: what the friend reads in the chat."""
    with translation.override(gift.language):
        return _("%(name)s has something for you: %(title)s. Open it here: %(link)s") % {
            "name": gift.giver.first_name,
            "title": gift.offer.title(gift.language),
            "link": link(gift),
        }
