"""What the API can do for somebody of ours and no verb says: at most ten reasons, each with its operations.

A test walks the API and fails when an operation stands neither here nor at a verb.
"""

REASONS: dict[str, tuple[str, ...]] = {
    "Only the app knows its own address at Firebase; who has no app gets SMS and mail.": ("register_device",),
    "The app says by itself that a push came in; SMS and mail are confirmed by their providers.": ("mark_push_received",),
    "A text holds no picture: photos go by the app, and a gift's link says what its QR says.": (
        *("attach_picture", "get_attachment", "redact_attachment", "share_attachment", "remove_attachment", "get_gift_qr"),
    ),
    "The app shows the ground rules at its start; who has no app gets them from HR on paper.": (
        *("get_ground_rules", "accept_ground_rules"),
    ),
    "These keep the copies on a phone up to date; a text is not a copy of anything.": ("sync", "stream_events"),
    "A card is written in two languages side by side, which a text is too short for; ACCEPT approves it.": (
        *("write_topic_card",),
    ),
    "A table for a spreadsheet does not fit in a text: its lines come with AFSCHRIFT.": ("get_statement_csv",),
    "A rota is planned with a calendar in view, in the back office; DIENST tells one's own duties.": (
        *("add_shift", "remove_shift"),
    ),
    "The app names and proves its own sign-ins; a text comes from one's own number, and UITLOGGEN ends them all.": (
        *("list_sessions", "end_session", "request_step_up_code", "step_up"),
    ),
    "Reports are the programme manager's work at a desk, not an employee's or an expert's.": (
        *("get_asked", "get_campaign_report", "get_employee_discounts", "get_lapsed_report"),
    ),
}
