"""How often somebody unknown may try to become known: guessing codes and names must lead nowhere."""

from datetime import timedelta

from backend import clock
from notifications.models import InboundMessage

REFUSED = "stranger_tried"  # `reason` of such a message
TRIES_PER_SENDER = 5  # a day
TRIES_OF_ALL = 200  # an hour: sender ids can be forged, so that nobody's own five are a limit
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def tried_too_often(message: InboundMessage) -> bool:
    now = clock.now()
    tried = InboundMessage.objects.filter(reason=REFUSED)
    own = tried.filter(channel=message.channel, sender=message.sender, received_at__gt=now - DAY)
    return own.count() >= TRIES_PER_SENDER or tried.filter(received_at__gt=now - HOUR).count() >= TRIES_OF_ALL
