"""What rewards forgets of people, while the books stay whole.

Amounts, states and ids are never touched, so the ledger and every report read the same afterwards. What goes is what says
something of somebody: notes, and the keyed hash of the address that a friend entered at the claim.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid
from notifications import outbox
from notifications.models import Delivery, Notification
from people.models import Person
from rewards import codes, days, gifts, recipients
from rewards.models import Counter, Gift, Kudos, PendingByText

KEPT_DAYS = 30  # after a gift's last day, as with a question's friend; a gift under review is kept until it is settled
BATCH = 500
UNDER_WAY = (Delivery.State.LEASED, Delivery.State.UNKNOWN)  # these still need their words


def _forget(rows: QuerySet[Gift]) -> int:
    return rows.filter(~Q(note="") | Q(recipient_digest__isnull=False)).update(note="", recipient_digest=None)


# --- a friend --------------------------------------------------------------------------------------------------------


@transaction.atomic
def erase_friend(address: str) -> int:
    """Forget whoever entered this address at a claim, and what limits counted of them. Their vouchers stay good.

    Twice is fine; returns how many gifts. Raises Invalid for what is no address.
    """
    digest = codes.recipient_digest(recipients.normal(address))
    for start in (":to:", ":pair:"):  # the giver's id stands before the friend's in a pair
        counted = Counter.objects.filter(scope__startswith="offer:", scope__contains=start)
        counted.filter(scope__endswith=f":{gifts.short(digest)}").delete()
    return _forget(Gift.objects.filter(recipient_digest=digest))


@transaction.atomic
def erase_friend_of(link_or_secret: str) -> int:
    """The same for a friend who never entered an address and shows the link. Raises Invalid for what is no link of ours."""
    gift = gifts.by_secret(link_or_secret.rstrip("/").rsplit("/", 1)[-1])
    if gift is None:
        raise Invalid(_("This link is not known."))
    return _forget(Gift.objects.filter(pk=gift.pk))


# --- a leaver --------------------------------------------------------------------------------------------------------


@transaction.atomic
def erase_leaver(person: Person) -> int:
    """Forget what somebody who has left wrote, and what colleagues wrote to them. Outstanding gifts stay good.

    Their name is not ours: people keeps it, rewards keeps the id. Twice is fine; returns how many texts.
    Raises Invalid while they work here.
    """
    if person.is_active:
        raise Invalid(_("%(name)s still works here.") % {"name": person.name})
    PendingByText.objects.filter(Q(person=person) | Q(colleague=person)).delete()
    thanks = Kudos.objects.filter(Q(giver=person) | Q(receiver=person)).exclude(note="")
    told = [f"kudos:{pk}" for pk in thanks.values_list("pk", flat=True)]
    notes = Notification.objects.filter(subject_key__in=told)
    outbox.take_back(list(notes.values_list("pk", flat=True)))  # what nobody has read yet is not told any more
    ours = Delivery.objects.filter(notification__in=notes)
    worded = Delivery.objects.filter(Q(notification__in=notes) | Q(pk__in=ours.values("bundle")))
    worded.exclude(state__in=UNDER_WAY).update(body="")
    notes.update(body="", sms_text="")
    return thanks.update(note="") + Gift.objects.filter(giver=person).exclude(note="").update(note="")


# --- by the clock ----------------------------------------------------------------------------------------------------

# Limits of recipients are counted while something of the campaign can still be claimed.
COUNTED = """
DELETE FROM rewards_counter c USING rewards_offer o JOIN rewards_campaign p ON p.id = o.campaign_id
WHERE c.scope ~ '^offer:[^:]+:(to|pair):' AND split_part(c.scope, ':', 2) = o.id::text AND p.ends_on < %(before)s
"""


def purge() -> int:
    """Forget the friends of gifts that have been over for 30 days. Twice is fine; returns how many rows went blank."""
    at, gone = clock.now(), 0
    while count := _forget_old(at - timedelta(days=KEPT_DAYS)):
        gone += count
    before = days.day_of(at) - timedelta(days=gifts.CLAIM_WINDOW_DAYS + KEPT_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, {"before": before})
        return gone + int(cursor.rowcount)


def _forget_old(before: datetime) -> int:
    over = Gift.objects.exclude(state__in=Gift.RUNNING).filter(ends_at__lte=before, frozen_at__isnull=True)
    said = over.filter(~Q(note="") | Q(recipient_digest__isnull=False)).order_by("ends_at")
    return _forget(Gift.objects.filter(pk__in=list(said.values_list("pk", flat=True)[:BATCH])))
