"""What a friend enters at the claim, in normal form, so that the same friend counts as the same."""

from django.utils.translation import gettext as _

from backend.errors import Invalid
from people.roster import parse_email, parse_mobile


def normal(text: str) -> str:
    """A mail address in lower case or a number as +31…; raises Invalid."""
    text = text.strip()
    try:
        address = parse_email(text) if "@" in text else parse_mobile(text)
    except ValueError as error:
        raise Invalid(_("Enter a mail address or a mobile number.")) from error
    if not address:
        raise Invalid(_("Enter a mail address or a mobile number."))
    return address
