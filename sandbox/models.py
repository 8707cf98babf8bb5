"""What the pretend phones and mailboxes hold. Not part of the product: gone in production."""

from typing import ClassVar

from django.db import models


class Letter(models.Model):
    """One SMS, mail or push on its way to or from a pretend phone or mailbox."""

    class Direction(models.TextChoices):
        TO_PERSON = "to_person"  # the product sent it: the look-alike provider took it
        FROM_PERSON = "from_person"  # typed on the page: goes to the product by webhook or SMTP

    direction = models.CharField(max_length=12, choices=Direction)
    channel = models.CharField(max_length=8)  # sms, email or push
    provider_id = models.CharField(max_length=255, unique=True)  # MessageSid, Message-ID, or Firebase's message name
    address = models.CharField(max_length=254)  # the person's number or mail address
    other = models.CharField(
        max_length=254
    )  # ours: the sending number, or the address to reply to; of a push the app's token
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField()
    html = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)  # a push as it came in
    in_reply_to = models.CharField(max_length=255, blank=True)
    status_callback = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=12)  # Twilio's words; "waiting" and "passed" for what a person sent; "replaced"
    copies = models.PositiveIntegerField(default=1)  # how often the same Message-ID came
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)  # when the courier has something to do with it
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["address", "id"], name="letter_address"),
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="letter_next"),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.channel} {self.address}"


class App(models.Model):
    """The app on a pretend phone: Firebase knows its address until it is removed."""

    token = models.CharField(max_length=200, unique=True)
    number = models.CharField(max_length=254)
    installed_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.number


class Switch(models.Model):
    """What is wrong with a pretend provider at the moment."""

    provider = models.CharField(max_length=8, primary_key=True)  # fcm or twilio
    trouble = models.CharField(max_length=20, blank=True)

    def __str__(self) -> str:
        return f"{self.provider} {self.trouble}"


class PhoneTrouble(models.Model):
    """What is wrong with a pretend phone: no row for nothing."""

    class Kind(models.TextChoices):
        NO_COVERAGE = "no_coverage"  # taken, and later undelivered: 30003
        LANDLINE = "landline"  # refused: 21614
        STOPPED = "stopped"  # refused: 21610, as after a STOP

    number = models.CharField(max_length=254, primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind)

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"
