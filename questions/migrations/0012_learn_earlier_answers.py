from django.db import migrations


class Migration(migrations.Migration):
    """Answers that are out already are due to be learned by the worker."""

    dependencies = [("questions", "0011_knowledge")]

    operations = [
        migrations.RunSQL(
            """
            INSERT INTO questions_knowledgeentry (question_id, answer_id, text, learn_at)
            SELECT q.id, a.id, '', a.received_at
            FROM questions_question q
            JOIN questions_answer a ON a.question_id = q.id AND a.round_id = q.current_round_id AND a.state = 'released'
            WHERE NOT q.is_confidential
            ON CONFLICT (question_id) DO NOTHING
            """,
            migrations.RunSQL.noop,
        )
    ]
