"""The shapes that credits and gifts travel in."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from backend.manners import Schema, Whole, language, printable
from people.models import Person
from rewards import badges, ledger, sharing, words
from rewards.models import Gift, Kudos, Offer

GiftNote = Annotated[
    str, StringConstraints(max_length=Gift.NOTE_CHARACTERS, strip_whitespace=True), AfterValidator(printable)
]


class WalletOut(Schema):
    """What I can give away now, in credits."""

    available: int = Field(description="Allowance and earned together.", ge=0)
    allowance: int = Field(description="This month's; lapses at the end of the month.", ge=0)
    earned: int = Field(description="Earned by what I did; lapses after twelve months.", ge=0)
    held: int = Field(description="Set aside for gifts that are not claimed yet.", ge=0)
    next_expiry_at: datetime | None = Field(description="UTC: when the first of them lapse; null when there are none.")
    next_expiry_credits: int = Field(description="How many lapse then.", ge=0)
    is_frozen: bool

    @classmethod
    def of(cls, wallet: ledger.Wallet) -> "WalletOut":
        return cls(
            available=wallet.allowance + wallet.earned,
            allowance=wallet.allowance,
            earned=wallet.earned,
            held=wallet.held,
            next_expiry_at=wallet.next_expiry,
            next_expiry_credits=wallet.next_expiry_credits,
            is_frozen=wallet.is_frozen,
        )


class StatementLine(Schema):
    id: int = Field(description="Grows with time.", ge=1)
    at: datetime = Field(description="UTC.")
    amount: int = Field(description="Credits; below zero when they went out.")
    balance: int = Field(description="After this line, credits held for gifts included.")
    wallet: str = Field(description="allowance or earned.")
    reason: str = Field(description="allowance, earned, clawback, kudos, gift, renewed, lapsed or correction. May grow.")
    subject: str = Field(description="What it was for, e.g. `gift:…` or `question:…`.")


class OfferOut(Schema):
    """Something I can give away."""

    id: UUID
    slug: str = Field(description="Stable short name, also for SMS.", max_length=40)
    kind: str = Field(description="gift, fixed, percentage or product. May grow.")
    title: str = Field(description="In my language.", max_length=80)
    text: str = Field(description="In my language.")
    terms: str = Field(description="In my language.")
    picture_url: str
    price_credits: int = Field(ge=1)
    value_cents: int = Field(description="In euro cents; of a percentage: at most this much.", ge=1)
    percentage: int | None
    last_day: date = Field(description="The last day it can be handed out, in the company's time.")

    @classmethod
    def of(cls, offer: Offer, language: str) -> "OfferOut":
        return cls(
            id=offer.pk,
            slug=offer.slug,
            kind=offer.kind,
            title=offer.title(language),
            text=offer.text(language),
            terms=offer.terms(language),
            picture_url=offer.picture_url,
            price_credits=offer.price_credits,
            value_cents=offer.value_cents,
            percentage=offer.percentage,
            last_day=offer.last_day(),
        )


class GiveIn(Schema):
    offer_id: UUID
    note: GiftNote = Field("", description="Shown to the friend with my first name.")
    language: Literal["nl", "en"] | None = Field(None, description="The friend's; mine when missing.")


class GiftOut(Schema):
    """A gift of mine. I see that it was claimed and redeemed, never where or when."""

    id: UUID
    offer: str = Field(description="The offer's slug.", max_length=40)
    title: str = Field(description="In my language.", max_length=80)
    note: str
    language: str = Field(max_length=2)
    state: str = Field(
        description="handed_out, claimed, part_redeemed, redeemed, cancelled, unclaimed, lapsed or refunded; "
        "frozen during a review, which comes before all others. May grow."
    )
    price_credits: int = Field(ge=1)
    handed_out_at: datetime = Field(description="UTC.")
    ends_on: date = Field(description="Last day, in the company's time: to claim it, or once claimed to use it.")

    @classmethod
    def of(cls, gift: Gift) -> "GiftOut":
        return cls(**_fields(gift))


def _fields(gift: Gift) -> dict[str, Any]:
    return {
        "id": gift.pk,
        "offer": gift.offer.slug,
        "title": gift.offer.title(language()),
        "note": gift.note,
        "language": gift.language,
        "state": "frozen" if gift.frozen_at else gift.state,
        "price_credits": gift.price_credits,
        "handed_out_at": gift.handed_out_at,
        "ends_on": words.last_date(gift.ends_at),
    }


class SharedGiftOut(GiftOut):
    """With what I send to my friend by my own phone."""

    secret_number: int = Field(description="Which of its links this is.", ge=1, le=32767)
    link: str = Field(description="The friend's page. Shown here only: keep it, or ask for a new one.")
    share_text: str = Field(description="Words to send, with the link.")

    @classmethod
    def of(cls, gift: Gift) -> "SharedGiftOut":
        """Without the secrets: this is what is remembered for a repeated request."""
        return cls(**_fields(gift), secret_number=gift.secret_number, link="", share_text="")

    @classmethod
    def reveal(cls, body: dict[str, Any], gift: Gift | None = None) -> dict[str, Any]:
        """Adds link and words to a remembered answer (of `gift`, where it is at hand); they are derived, never stored."""
        gift = gift or Gift.objects.select_related("offer", "giver").get(pk=body["id"])
        gift.secret_number = body["secret_number"]
        return {**body, "link": sharing.link(gift), "share_text": sharing.share_text(gift)}


KudosNote = Annotated[
    str,
    StringConstraints(min_length=1, max_length=Kudos.NOTE_CHARACTERS, strip_whitespace=True),
    AfterValidator(printable),
]


class ThankIn(Schema):
    colleague_id: UUID
    note: KudosNote = Field(description="What for.")
    credits: Whole = Field(0, ge=0, le=100_000, description="Of my allowance; a quarter of it a month at most.")


class BadgeOut(Schema):
    """A badge, mine or one that I can still get."""

    slug: str = Field(description="Stable short name.", max_length=40)
    name: str = Field(description="In my language.", max_length=80)
    kind: str = Field(description="Of the facts that count: answered, helped, kudos, … May grow.", max_length=40)
    count: int = Field(description="How many it takes.", ge=1)
    have: int = Field(description="How many I have. Only I see this.", ge=0)
    awarded_at: datetime | None = Field(description="UTC; null when it is not mine yet.")

    @classmethod
    def of(cls, row: badges.Progress, language: str) -> "BadgeOut":
        name = row.name_en if language == "en" else row.name_nl
        same = {field: getattr(row, field) for field in ("slug", "kind", "count", "have", "awarded_at")}
        return cls(name=name, **same)


class BadgeBrief(Schema):
    slug: str = Field(max_length=40)
    name: str = Field(description="In my language.", max_length=80)


class TeamMateOut(Schema):
    """A colleague of my team who chose to show badges."""

    id: UUID
    name: str = Field(max_length=120)
    badges: list[BadgeBrief]

    @classmethod
    def of(cls, person: Person, language: str) -> "TeamMateOut":
        shown = [row.rule for row in person.shown_badges]  # type: ignore[attr-defined]  # prefetched by badges.team_of
        briefs = [BadgeBrief(slug=rule.slug, name=rule.name(language)) for rule in shown]
        return cls(id=person.pk, name=person.name, badges=briefs)


class KudosOut(Schema):
    id: UUID
    giver: str = Field(description="Their name.")
    receiver: str = Field(description="Their name.")
    note: str
    credits: int = Field(ge=0)
    created_at: datetime = Field(description="UTC.")

    @classmethod
    def of(cls, row: Kudos) -> "KudosOut":
        return cls(
            id=row.pk,
            giver=row.giver.name,
            receiver=row.receiver.name,
            note=row.note,
            credits=row.credits,
            created_at=row.created_at,
        )
