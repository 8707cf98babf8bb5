from django.db import migrations

# What rounds and assignments that exist get: steps at ½, ¾ and 9⁄10 of their elapsed time, hops counted in order.
FORWARD = """
UPDATE questions_round SET
    hours = greatest(1, round(extract(epoch FROM due_at - started_at) / 3600)),
    steps_at = ARRAY[
        started_at + (due_at - started_at) * 0.5,
        started_at + (due_at - started_at) * 0.75,
        started_at + (due_at - started_at) * 0.9
    ];
UPDATE questions_assignment AS a SET hop = n.number
FROM (
    SELECT id, row_number() OVER (PARTITION BY round_id ORDER BY offered_at, id) AS number
    FROM questions_assignment WHERE NOT is_swarm
) AS n
WHERE a.id = n.id AND n.number <= 5;
UPDATE questions_assignment SET by_hand = true WHERE hop IS NULL AND NOT is_swarm;
"""


class Migration(migrations.Migration):
    """Rounds carry their policy and step times from here on, assignments their hop."""

    dependencies = [("questions", "0004_promise_desk_topics")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
