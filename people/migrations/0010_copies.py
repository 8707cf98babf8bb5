from django.db import migrations

from backend.changes import trigger


class Migration(migrations.Migration):
    """Absences, and the name of somebody's team, are told to phones as they change."""

    dependencies = [("people", "0009_sessions")]
    operations = [
        trigger(
            "people_absence_copies",
            "people_absence",
            "INSERT OR DELETE OR UPDATE OF person_id, starts_at, ends_at, stand_in_id, over_at",
            "SELECT line.person_id, 'absences', line.person_id",
        ),
        trigger(
            "people_team_copies",
            "people_team",
            "UPDATE OF name",
            "SELECT id, 'me', id FROM people_person WHERE team_id = line.id",
        ),
    ]
