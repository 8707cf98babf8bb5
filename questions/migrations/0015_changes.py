from django.db import migrations

# Two functions say whom a question concerns; a table that is shown with a question calls them in its trigger.
FORWARD = """
CREATE FUNCTION questions_note_asker(question uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO backend_change (person, kind, object_id)
    SELECT asker_id, 'question', id FROM questions_question WHERE id = $1 ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION questions_note_experts(question uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO backend_change (person, kind, object_id)
    SELECT expert_id, 'assignment', id FROM questions_assignment WHERE question_id = $1 ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION questions_question_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    question questions_question := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM backend_changed(question.asker_id, 'question', question.id);
    IF TG_OP = 'UPDATE' AND (OLD.topic_id, OLD.text, OLD.language) IS DISTINCT FROM (NEW.topic_id, NEW.text, NEW.language) THEN
        PERFORM questions_note_experts(question.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER questions_question_comes_or_goes AFTER INSERT OR DELETE ON questions_question
    FOR EACH ROW EXECUTE FUNCTION questions_question_changed();
CREATE TRIGGER questions_question_changed AFTER UPDATE OF text, language, state, close_reason, answer_mode, is_confidential,
    topic_id, current_round_id, expected_at, friend_key, received_at ON questions_question
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_question_changed();

CREATE FUNCTION questions_round_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM questions_note_asker(NEW.question_id);
    INSERT INTO backend_change (person, kind, object_id)
    SELECT expert_id, 'assignment', id FROM questions_assignment WHERE round_id = NEW.id ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER questions_round_changed AFTER UPDATE OF started_at, due_at, paused_at, verdict ON questions_round
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_round_changed();

CREATE FUNCTION questions_event_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM questions_note_asker(NEW.question_id);
    RETURN NULL;
END $$;
CREATE TRIGGER questions_event_changed AFTER INSERT ON questions_event
    FOR EACH ROW EXECUTE FUNCTION questions_event_changed();

CREATE FUNCTION questions_assignment_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    assignment questions_assignment := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM backend_changed(assignment.expert_id, 'assignment', assignment.id);
    RETURN NULL;
END $$;
CREATE TRIGGER questions_assignment_comes_or_goes AFTER INSERT OR DELETE ON questions_assignment
    FOR EACH ROW EXECUTE FUNCTION questions_assignment_changed();
CREATE TRIGGER questions_assignment_changed AFTER UPDATE OF state, reasons, offered_at, expires_at ON questions_assignment
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_assignment_changed();

CREATE FUNCTION questions_answer_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    answer questions_answer := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO backend_change (person, kind, object_id)
    SELECT expert_id, 'assignment', id FROM questions_assignment
    WHERE question_id = answer.question_id AND expert_id = answer.author_id ON CONFLICT DO NOTHING;
    PERFORM questions_note_asker(answer.question_id);
    -- Who used it for a question of their own reads it there.
    INSERT INTO backend_change (person, kind, object_id)
    SELECT question.asker_id, 'question', question.id
    FROM questions_reuse reuse JOIN questions_question question ON question.id = reuse.question_id
    WHERE reuse.source_id = answer.question_id ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER questions_answer_comes_or_goes AFTER INSERT OR DELETE ON questions_answer
    FOR EACH ROW EXECUTE FUNCTION questions_answer_changed();
CREATE TRIGGER questions_answer_changed AFTER UPDATE OF text, internal_note, state, received_at, leaves_at, valid_until,
    helped, corrects_id ON questions_answer
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_answer_changed();

CREATE FUNCTION questions_clarification_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked questions_clarification := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM questions_note_asker(asked.question_id);
    PERFORM questions_note_experts(asked.question_id);
    RETURN NULL;
END $$;
CREATE TRIGGER questions_clarification_changed AFTER INSERT OR UPDATE OR DELETE ON questions_clarification
    FOR EACH ROW EXECUTE FUNCTION questions_clarification_changed();

CREATE FUNCTION questions_attachment_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM questions_note_asker(NEW.question_id);
    IF TG_OP = 'UPDATE' AND 'shared' IN (OLD.state, NEW.state) THEN
        PERFORM questions_note_experts(NEW.question_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER questions_attachment_comes AFTER INSERT ON questions_attachment
    FOR EACH ROW EXECUTE FUNCTION questions_attachment_changed();
CREATE TRIGGER questions_attachment_changed AFTER UPDATE OF state, refusal, version ON questions_attachment
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_attachment_changed();

CREATE FUNCTION questions_reuse_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reuse questions_reuse := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM questions_note_asker(reuse.question_id);
    INSERT INTO backend_change (person, kind, object_id)
    SELECT assignment.expert_id, 'assignment', assignment.id
    FROM questions_answer answer JOIN questions_assignment assignment ON assignment.id = answer.assignment_id
    WHERE answer.id = reuse.answer_id ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER questions_reuse_changed AFTER INSERT OR UPDATE OR DELETE ON questions_reuse
    FOR EACH ROW EXECUTE FUNCTION questions_reuse_changed();

CREATE FUNCTION questions_topic_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    topic questions_topic := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM backend_changed('00000000-0000-0000-0000-000000000000', 'topic', topic.id);
    RETURN NULL;
END $$;
CREATE TRIGGER questions_topic_comes_or_goes AFTER INSERT OR DELETE ON questions_topic
    FOR EACH ROW EXECUTE FUNCTION questions_topic_changed();
CREATE TRIGGER questions_topic_changed AFTER UPDATE OF slug, name_nl, name_en, description_nl, description_en, promise_hours,
    is_active ON questions_topic
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION questions_topic_changed();
"""
TABLES = {
    "question": ("comes_or_goes", "changed"),
    "round": ("changed",),
    "event": ("changed",),
    "assignment": ("comes_or_goes", "changed"),
    "answer": ("comes_or_goes", "changed"),
    "clarification": ("changed",),
    "attachment": ("comes", "changed"),
    "reuse": ("changed",),
    "topic": ("comes_or_goes", "changed"),
}
BACKWARD = "\n".join(
    [
        *(
            f"DROP TRIGGER questions_{table}_{name} ON questions_{table};"
            for table, names in TABLES.items()
            for name in names
        ),
        *(f"DROP FUNCTION questions_{table}_changed();" for table in TABLES),
        "DROP FUNCTION questions_note_experts(uuid); DROP FUNCTION questions_note_asker(uuid);",
    ]
)


class Migration(migrations.Migration):
    """A question, its thread and answer, an assignment or a topic has changed for somebody."""

    dependencies = [("questions", "0014_hand_offs"), ("backend", "0004_changes")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
