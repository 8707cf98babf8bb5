"""The verbs of credits, gifts and thanks. Each returns the sentence that goes back, in the person's language."""

import re
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend import clock
from backend.errors import Invalid
from notifications import item_codes, segments
from notifications.verbs import Command, Verb, register
from people import by_name
from people.models import Person
from rewards import badges, by_text, gifts, kudos, ledger, sharing, statement, words
from rewards.models import Gift, Kudos

DIGITS = re.compile(r"\d{4}")
OFFERS_LISTED = 6
GIFTS_LISTED = 5
KUDOS_LISTED = 3
LINES_A_PAGE = 6
TEAM_LISTED = 8
PAGE_SEGMENTS = 2
GIVEN_WORDS = frozenset({"GEGEVEN", "GIVEN"})


def balance(command: Command) -> str:
    return words.balance(command.person, ledger.wallet(command.person, clock.now()))


def lines(command: Command) -> str:
    """AFSCHRIFT: my newest lines; AFSCHRIFT 2: the ones before."""
    word = command.text.strip()
    page = int(word[:4]) if word.isascii() and word.isdecimal() else 1
    first = max(page - 1, 0) * LINES_A_PAGE
    rows = statement.lines(command.person, limit=first + LINES_A_PAGE + 1)[first:]
    if not rows:
        return _("There are no (more) lines.")
    shown = [words.statement_line(row, command.person) for row in rows[:LINES_A_PAGE]]
    if len(rows) > LINES_A_PAGE:
        shown.append(_("STATEMENT %(page)s: the ones before.") % {"page": page + 1})
    return "\n".join(shown)


# --- gifts -----------------------------------------------------------------------------------------------------------


def give(command: Command) -> str:
    """GEEF: what there is; GEEF koffie + note: asks for digits; GEEF 4831: does it."""
    text = command.text.strip()
    if DIGITS.fullmatch(text):
        return by_text.confirm(command, text)
    open_ = gifts.open_offers(command.person, clock.now())
    if not text:
        return words.offers(open_[:OFFERS_LISTED], command.person)
    slug, _space, note = text.partition(" ")
    offer = next((offer for offer in open_ if offer.slug == slug.lower()), None)
    if offer is None:
        raise Invalid(words.offers(open_[:OFFERS_LISTED], command.person))
    what = words.give_what(offer, command.person)
    by_text.ask_digits(command, what, offer=offer, note=note.strip()[:300])
    return ""


def gives(person: Any, text: str) -> bool:
    """Digits, or an offer: "Geef de klant een nieuwe sim" is an answer."""
    first = text.split(" ")[0].lower()
    slugs = {offer.slug for offer in gifts.open_offers(person, clock.now())}
    return not first or bool(DIGITS.fullmatch(text)) or first in slugs


def given(command: Command) -> str:
    """GIFTEN: what I gave, the newest first; what runs has a code."""
    rows = list(Gift.objects.filter(giver=command.person).select_related("offer").order_by("-handed_out_at", "-id"))
    if not rows:
        return _("You gave nothing yet. GIVE tells what there is.")
    for row in rows:
        if row.state not in Gift.RUNNING:
            item_codes.close(row.subject)
    text = "\n".join(_gift_line(command.person, row) for row in rows[:GIFTS_LISTED])
    return f"{text}\n" + _("LINK or WITHDRAW + code.")


def _gift_line(person: Person, gift: Gift) -> str:
    title = gift.offer.title(person.language)
    code = item_codes.open_for(person, gift.subject, title).code if gift.state in Gift.RUNNING else "-"
    return f"{code} {title}: {words.gift_state(gift.state)}"


def _gift_id(command: Command) -> UUID:
    assert command.item is not None  # noqa: S101 — the registry hands an item to verbs that name kinds
    return UUID(command.item.item.split(":")[1])


def cancel(command: Command) -> str:
    """INTREKKEN A7: nobody has claimed it, so it is mine again."""
    gift = gifts.cancel(command.person, _gift_id(command))
    item_codes.close(gift.subject)
    return _("The gift is taken back; its credits are yours to give again.")


def new_link(command: Command) -> str:
    """LINK A7: a fresh link; the old one is dead."""
    return sharing.share_text(gifts.new_link(command.person, _gift_id(command)))


# --- thanks and badges -----------------------------------------------------------------------------------------------


def thank(command: Command) -> str:
    """BEDANK Bob + note; BEDANK Bob 5 + note gives credits too and asks for digits; BEDANK 4831 does that."""
    text = command.text.strip()
    if DIGITS.fullmatch(text):
        return by_text.confirm(command, text)
    name, _space, rest = text.partition(" ")
    if not name:
        return _("Write whom you thank and for what: THANKS Bob 5 for your help.")
    colleague = by_name.colleague_named(command.person, name)
    number, _space, note = rest.strip().partition(" ")
    if not (number.isascii() and number.isdecimal() and int(number[:6]) > 0):
        kudos.thank(command.person, colleague, rest, request_key=command.message_key)
        return _("%(name)s has your thanks.") % {"name": colleague.first_name}
    what = _("%(credits)s credits for %(name)s") % {"credits": int(number[:6]), "name": colleague.first_name}
    by_text.ask_digits(command, what, colleague=colleague, credits=int(number[:6]), note=note or _("Thank you!"))
    return ""


def thanks(command: Command) -> str:
    """KUDOS: who thanked me; KUDOS GEGEVEN: whom I thanked. The newest."""
    is_given = command.text.strip().upper() in GIVEN_WORDS
    mine = {"giver" if is_given else "receiver": command.person}
    rows = Kudos.objects.filter(**mine).select_related("giver", "receiver").order_by("-created_at", "-id")[:KUDOS_LISTED]
    shown = [f"{(row.receiver if is_given else row.giver).first_name}: {row.note}" for row in rows]
    if not shown:
        return _("You thanked nobody yet.") if is_given else _("Nobody thanked you yet.")
    return _within("\n".join(shown))


def medals(command: Command) -> str:
    """BADGES: mine and how far I am; BADGES TEAM: of those who show theirs."""
    person: Person = command.person
    if command.text.strip().upper() != "TEAM":
        rows = [f"{row.name_en if person.language == 'en' else row.name_nl} {_so_far(row)}" for row in badges.mine(person)]
        return _within(", ".join(rows)) or _("There are no badges.")
    mates = badges.team_of(person).order_by("name", "id")[:TEAM_LISTED]
    names = [_mate(mate, person.language) for mate in mates if mate.shown_badges]
    return _within("\n".join(names)) or _("Nobody of your team shows badges. SHOW BADGES ON shows yours.")


def _so_far(row: badges.Progress) -> str:
    return _("(yours)") if row.awarded_at else f"{min(row.have, row.count)}/{row.count}"


def _mate(mate: Any, language: str) -> str:
    return f"{mate.first_name}: " + ", ".join(badge.rule.name(language) for badge in mate.shown_badges)


def _within(text: str) -> str:
    """Cut to what two segments hold."""
    pages = segments.pages(segments.plain(text), segments=PAGE_SEGMENTS, reserve=3)
    return pages[0] + "..." if len(pages) > 1 else pages[0]


def fill_registry() -> None:
    gift = ("gift",)
    register(
        Verb(
            ("SALDO", "BALANCE"),
            balance,
            gettext_lazy("your credits."),
            gettext_lazy("BALANCE"),
            ("get_wallet",),
            words_max=0,
        )
    )
    register(
        Verb(
            *(("GEEF", "GIVE"), give, gettext_lazy("what you can give; with its name: give it.")),
            *(gettext_lazy("GIVE coffee Enjoy!"), ("list_offers", "hand_out_gift")),
            fits=gives,
        )
    )
    register(
        Verb(
            ("BEDANK", "THANKS"),
            thank,
            gettext_lazy("thank a colleague."),
            gettext_lazy("THANKS Bob 5 for your help"),
            ("thank_colleague",),
        )
    )
    register(
        Verb(
            ("GIFTEN", "GIFTS"),
            given,
            gettext_lazy("what you gave, with codes."),
            gettext_lazy("GIFTS"),
            ("list_gifts", "get_gift"),
            words_max=0,
        )
    )
    register(
        Verb(
            ("AFSCHRIFT", "STATEMENT"),
            lines,
            gettext_lazy("your credits line by line."),
            gettext_lazy("STATEMENT 2"),
            ("get_statement",),
            words_max=1,
        )
    )
    register(
        Verb(
            *(("KUDOS",), thanks, gettext_lazy("who thanked you; with GIVEN: whom you thanked.")),
            *(gettext_lazy("KUDOS GIVEN"), ("list_kudos_received", "list_kudos_given")),
            words_max=1,
        )
    )
    register(
        Verb(
            *(("BADGES",), medals, gettext_lazy("your badges; with TEAM: your team's.")),
            *(gettext_lazy("BADGES TEAM"), ("list_badges", "list_team_badges")),
            words_max=1,
        )
    )
    register(
        Verb(
            ("LINK",),
            new_link,
            gettext_lazy("a new link for a gift."),
            gettext_lazy("LINK A7"),
            ("renew_gift_link",),
            gift,
            words_max=0,
        )
    )
    register(
        Verb(
            ("INTREKKEN", "WITHDRAW"),
            cancel,
            gettext_lazy("takes a gift back."),
            gettext_lazy("WITHDRAW A7"),
            ("cancel_gift",),
            gift,
            words_max=0,
        )
    )
