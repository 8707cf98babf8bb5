"""The shapes that people travel in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from backend.manners import Moment, Schema, YesNo
from people.models import Absence, Person

OPT_INS = ("shows_contact", "shows_badges")


class Me(Schema):
    """The person who is signed in."""

    id: UUID
    employee_number: str = Field(max_length=20)
    name: str = Field(max_length=120)
    email: str | None = Field(description="Work mail, as HR has it.", max_length=254)
    mobile: str | None = Field(description="E.164, as HR has it.", max_length=16)
    language: str = Field(description="nl or en: every message comes in it.", max_length=2)
    time_zone: str = Field(description="IANA name.", max_length=40)
    team: str | None = Field(max_length=80)
    roles: list[str] = Field(
        description="employee, expert, duty_desk, topic_lead, programme_manager, administrator. May grow."
    )
    shows_contact: bool = Field(description="Colleagues see my mail address and number in the directory.")
    shows_badges: bool = Field(description="My team sees my badges.")

    @classmethod
    def of(cls, person: Person) -> "Me":
        names = ("employee_number", "name", "email", "mobile", "language", "time_zone", "roles", *OPT_INS)
        fields = {name: getattr(person, name) for name in names}
        return cls(id=person.pk, team=person.team.name if person.team else None, **fields)


class MeIn(Schema):
    """What I may change myself; what is missing stays."""

    language: Literal["nl", "en"] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=40)] | None = Field(None, description="IANA name.")
    shows_contact: YesNo | None = Field(None, description="Show colleagues my mail address and number.")
    shows_badges: YesNo | None = Field(None, description="Show my team my badges.")


class AbsenceIn(Schema):
    starts_at: Moment = Field(description="UTC or with an offset.")
    ends_at: Moment = Field(description="UTC or with an offset; after `starts_at`, not in the past.")
    stand_in: UUID | None = Field(None, description="A colleague's id.")


class AbsenceEndIn(Schema):
    ends_at: Moment = Field(description="With its offset. Now or earlier: I am back already.")


class AbsenceOut(Schema):
    id: int = Field(ge=1, le=2**53)
    starts_at: datetime = Field(description="UTC.")
    ends_at: datetime = Field(description="UTC.")
    stand_in: UUID | None

    @classmethod
    def of(cls, absence: Absence) -> "AbsenceOut":
        return cls(id=absence.pk, starts_at=absence.starts_at, ends_at=absence.ends_at, stand_in=absence.stand_in_id)
