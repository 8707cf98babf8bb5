"""The verbs of a person's own affairs. Each returns the sentence that goes back, in their language."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend import clock
from backend.errors import Invalid
from notifications import devices, planning, reply_targets, segments
from notifications.models import Device, Notification
from notifications.verbs import Command, Verb, register
from people import absences, by_name, by_text, joining, sessions
from people.models import Language, Person, check_time_zone

ON, OFF = frozenset({"AAN", "ON", "JA"}), frozenset({"UIT", "OFF", "NEE"})
SHOWN = {"CONTACT": "shows_contact", "BADGES": "shows_badges"}
MESSAGES_SHOWN = 3
MESSAGE_SEGMENTS = 2
LANGUAGES = {"NEDERLANDS": "nl", "DUTCH": "nl", "ENGELS": "en", "ENGLISH": "en"}


def me(command: Command) -> str:
    """IK: what we know of me, and what colleagues see."""
    person: Person = command.person
    yes, no = _("yes"), _("no")
    return _(
        "%(name)s, %(team)s. Mail %(mail)s, mobile %(mobile)s. Colleagues see contact: %(contact)s, badges: %(badges)s"
    ) % {
        "name": person.name,
        "team": person.team.name if person.team else _("no team"),
        "mail": person.email or "-",
        "mobile": person.mobile or "-",
        "contact": yes if person.shows_contact else no,
        "badges": yes if person.shows_badges else no,
    }


def language(command: Command) -> str:
    """TAAL EN: everything comes in English from now on."""
    word = command.text.strip().upper().strip(".!")
    chosen = LANGUAGES.get(word, word.lower())
    if chosen not in Language.values:
        raise Invalid(_("Write LANGUAGE NL or LANGUAGE EN."))
    command.person.language = chosen
    command.person.save(update_fields=["language"])
    with translation.override(chosen):
        return _("We write to you in English from now on.")


def time_zone(command: Command) -> str:
    name = command.text.strip()
    try:
        check_time_zone(name)
    except ValidationError as error:
        raise Invalid(_("%(zone)s is not an IANA time zone.") % {"zone": name[:40]}) from error
    command.person.time_zone = name
    command.person.save(update_fields=["time_zone"])
    return _("Times are in %(zone)s from now on.") % {"zone": name}


def show(command: Command) -> str:
    """TOON BADGES AAN; TOON CONTACT UIT."""
    what, _space, how = command.text.upper().partition(" ")
    how = how.strip(" .!")
    if what not in SHOWN or how not in ON | OFF:
        raise Invalid(_("Write SHOW CONTACT ON, SHOW BADGES OFF, and so on."))
    setattr(command.person, SHOWN[what], how in ON)
    command.person.save(update_fields=[SHOWN[what]])
    return me(command)


def is_shown(person: Any, text: str) -> bool:
    return text.upper().split(" ")[0] in {"", *SHOWN}


# --- being away ------------------------------------------------------------------------------------------------------


def away(command: Command) -> str:
    """WEG: when I am away; WEG 24-12 t/m 2-1 Joris: I will be, and Joris stands in."""
    person: Person = command.person
    days, name = by_text.days_and_rest(command.text, person)
    if not command.text.strip():
        return _away_list(person)
    if not 1 <= len(days) <= 2:
        raise Invalid(_("Write the first and the last day: AWAY 24-12 2-1, and who stands in if you like."))
    stand_in = by_name.colleague_named(person, name) if name else None
    starts_at = max(by_text.midnight(days[0], person), clock.now())
    ends_at = by_text.midnight(days[-1] + timedelta(days=1), person)
    made = absences.add(person, starts_at=starts_at, ends_at=ends_at, stand_in_id=stand_in.pk if stand_in else None)
    values = {"first": by_text.shown(made.starts_at, person), "last": _last(made.ends_at, person)}
    told = _("You are away from %(first)s to %(last)s. PRESENT: back earlier.") % values
    return f"{told} " + _("%(name)s stands in.") % {"name": stand_in.name} if stand_in else told


def _last(ends_at: Any, person: Person) -> str:
    return by_text.shown(ends_at - timedelta(seconds=1), person)


def _away_list(person: Person) -> str:
    rows = person.absences.filter(ends_at__gt=clock.now()).order_by("starts_at")[:5]
    lines = [f"{by_text.shown(row.starts_at, person)} - {_last(row.ends_at, person)}" for row in rows]
    return _("You are away: %(days)s.") % {"days": ", ".join(lines)} if lines else _("You are not away.")


def names_days(person: Any, text: str) -> bool:
    first = text.split(" ")[0]
    return (
        not first
        or bool(by_text.DAY.match(first))
        or first.lower() in by_text.TODAY | by_text.TOMORROW
        or first[:2] == "20"
    )


def present(command: Command) -> str:
    """AANWEZIG: back already, or not away after all; AANWEZIG 3-1: back on that day."""
    person: Person = command.person
    days, _rest = by_text.days_and_rest(command.text, person)
    row = person.absences.filter(ends_at__gt=clock.now()).order_by("starts_at").first()
    if row is None:
        return _("You are not away.")
    if days:
        absences.move_end(person, row.pk, by_text.midnight(days[0], person))
        return _("You are back on %(day)s.") % {"day": by_text.shown(by_text.midnight(days[0], person), person)}
    if row.starts_at <= clock.now():
        absences.move_end(person, row.pk, clock.now())
        return _("Welcome back.")
    first = by_text.shown(row.starts_at, person)
    absences.remove(person, row.pk)
    return _("You are not away from %(first)s after all.") % {"first": first}


# --- messages, phones, safety ----------------------------------------------------------------------------------------


def inbox(command: Command) -> str:
    """BERICHTEN: the oldest that I have not read; once more: the next ones."""
    unread = Notification.objects.filter(person=command.person, read_at__isnull=True).order_by("created_at", "pk")
    rows = list(unread[: MESSAGES_SHOWN + 1])
    if not rows:
        return _("You have read everything.")
    shown: list[Notification] = []
    for row in rows[:MESSAGES_SHOWN]:
        if shown and segments.count(_lines([*shown, row])) > MESSAGE_SEGMENTS:
            break
        shown.append(row)
    for row in shown:
        Notification.objects.filter(pk=row.pk, read_at__isnull=True).update(read_at=clock.now())
        planning.arrived(row.pk)
    more = len(rows) > len(shown)
    return _lines(shown) + ("\n" + _("INBOX: the next ones.") if more else "")


def _lines(rows: list[Notification]) -> str:
    return segments.plain("\n".join(row.sms_text or row.title for row in rows))


def phones(command: Command) -> str:
    """TELEFOONS: with the app; TELEFOONS WEG 2: no more pushes to that one."""
    rows = list(Device.objects.filter(person=command.person).order_by("-last_seen_at", "-pk")[: devices.PER_PERSON])
    number = command.text.split()[-1] if command.text.split() else ""
    if not number:
        lines = [f"{n} = {row.platform} {row.app_version}" for n, row in enumerate(rows, 1)]
        return "\n".join([*lines, _("PHONES OFF 1 ends it.")]) if lines else _("No phone of yours has the app.")
    if not (number.isascii() and number.isdecimal() and 1 <= int(number[:3]) <= len(rows)):
        raise Invalid(_("There is no phone %(number)s.") % {"number": number[:10]})
    row = rows[int(number) - 1]
    devices.unregister(command.person, row.pk)
    return _("%(phone)s gets no more pushes.") % {"phone": f"{row.platform} {row.app_version}"}


def sign_out(command: Command) -> str:
    """UITLOGGEN: wherever I am signed in, no more."""
    count = sessions.end_all(command.person)
    return _("You are signed out on all phones and computers: %(count)s.") % {"count": count}


def fill_registry() -> None:
    own, kinds = ("update_me",), ("address",)
    reply_targets.register_item("address", joining.by_mail)
    register(
        Verb(
            ("JA", "ACCEPT"),
            joining.accept_by_text,
            gettext_lazy("this new number or address is mine."),
            gettext_lazy("ACCEPT A7"),
            kinds=kinds,
            coded_kinds=kinds,
            words_max=0,
        )
    )
    register(
        Verb(
            ("NEE", "DECLINE"),
            joining.decline_by_text,
            gettext_lazy("this new number or address is not mine."),
            gettext_lazy("DECLINE A7"),
            kinds=kinds,
            coded_kinds=kinds,
            words_max=0,
        )
    )
    register(
        Verb(
            ("WEG", "AWAY"),
            away,
            gettext_lazy("when you are away; with days: you will be."),
            gettext_lazy("AWAY 24-12 2-1 Bob"),
            ("list_absences", "add_absence"),
            words_max=8,
            fits=names_days,
        )
    )
    register(
        Verb(
            ("AANWEZIG", "PRESENT"),
            present,
            gettext_lazy("back already, or on the day that you say."),
            gettext_lazy("PRESENT 3-1"),
            ("move_absence_end", "remove_absence"),
            words_max=1,
            fits=names_days,
        )
    )
    register(
        Verb(
            ("IK", "ME"),
            me,
            gettext_lazy("what we know of you and what colleagues see."),
            gettext_lazy("ME"),
            ("get_me",),
            words_max=0,
        )
    )
    register(
        Verb(
            ("TAAL", "LANGUAGE"),
            language,
            gettext_lazy("the language that we write to you in."),
            gettext_lazy("LANGUAGE NL"),
            own,
            words_max=1,
        )
    )
    register(
        Verb(
            ("BERICHTEN", "INBOX"),
            inbox,
            gettext_lazy("messages that you have not read."),
            gettext_lazy("INBOX"),
            ("list_inbox", "mark_inbox_item_read"),
            words_max=0,
        )
    )
    register(
        Verb(
            ("TOON", "SHOW"),
            show,
            gettext_lazy("what colleagues see of you: contact, badges."),
            gettext_lazy("SHOW BADGES ON"),
            own,
            words_max=2,
            fits=is_shown,
        )
    )
    register(
        Verb(
            ("TELEFOONS", "PHONES"),
            phones,
            gettext_lazy("your phones with the app; OFF and a number ends one."),
            gettext_lazy("PHONES OFF 1"),
            ("list_devices", "remove_device"),
            words_max=2,
        )
    )
    register(
        Verb(
            ("UITLOGGEN", "SIGNOUT"),
            sign_out,
            gettext_lazy("signs you out on all phones and computers."),
            gettext_lazy("SIGNOUT"),
            ("sign_out", "sign_out_everywhere"),
            words_max=0,
        )
    )
    register(
        Verb(
            ("TIJDZONE", "TIMEZONE"),
            time_zone,
            gettext_lazy("the time zone of your times."),
            gettext_lazy("TIMEZONE Europe/London"),
            own,
            words_max=1,
        )
    )
    register(
        Verb(
            ("MEEDOEN", "JOIN"),
            joining.join_by_text,
            gettext_lazy("this number or address is yours, by a code from HR."),
            gettext_lazy("JOIN ACDE-FGHJ"),
            words_max=3,
            for_strangers=True,
        )
    )
    register(
        Verb(
            ("NUMMER", "NUMBER"),
            joining.claim_by_text,
            gettext_lazy("from a new number or address: it is yours. We ask you on the old one."),
            gettext_lazy("NUMBER bob@work.example"),
            words_max=1,
            for_strangers=True,
        )
    )
