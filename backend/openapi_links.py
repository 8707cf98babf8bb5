"""Links in the specification: which operations take the id that a response holds.

A reader sees what can be done with what they just got, and a machine can walk from one operation to the next.
"""

from typing import Any

# Where a path's parameter comes from: responses of these shapes, or pages of them.
SOURCES = {
    "question_id": {"QuestionOut", "QuestionDetail", "DeskItemOut"},
    "assignment_id": {"AssignmentOut", "AssignmentDetail"},
    "attachment_id": {"AttachmentOut"},
    "answer_id": {"ApprovalOut"},
    "card_id": {"TopicCardOut", "CardDraftOut"},
    "absence_id": {"AbsenceOut"},
    "notification_id": {"InboxItem"},
    "device_id": {"DeviceOut"},
    "gift_id": {"GiftOut", "SharedGiftOut"},
    "shift_id": {"ShiftOut"},
    "redemption_id": {"RedemptionOut"},
}


SIGN_IN_LINKS = (
    ("request_sign_in_code", "401", ("confirm_sign_in_code", "get_sign_in", "abandon_sign_in")),
    ("confirm_sign_in_code", "200", ("get_sign_in", "abandon_sign_in")),
)


def add(schema: dict[str, Any]) -> None:
    """Into the responses that hold something new to the reader: of what they made, and of what they read. In place."""
    _sign_in(schema)
    takers = _takers(schema)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if str(status) == "201" or (str(status) == "200" and method in {"get", "put"}):
                    links = _links(_shape(response), "/desk/" in path, takers)
                    if links:
                        response["links"] = links


def _sign_in(schema: dict[str, Any]) -> None:
    """The token that carries a sign-in from one of its operations to the next."""
    operations = {operation["operationId"]: operation for path in schema["paths"].values() for operation in path.values()}
    parameters = {"header.X-Session-Token": "$response.body#/meta/session_token"}
    for name, status, following in SIGN_IN_LINKS:
        operations[name]["responses"][status]["links"] = {
            one: {"operationId": one, "parameters": parameters} for one in following
        }


def _takers(schema: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """(parameter, operationId, whether it is the desk's) of each operation with an id in its path."""
    return [
        (parameter["name"], operation["operationId"], "/desk/" in path)
        for path, operations in schema["paths"].items()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "path" and parameter["name"] in SOURCES
    ]


def _shape(response: dict[str, Any]) -> str:
    about = response.get("content", {}).get("application/json", {}).get("schema", {})
    return str(about.get("$ref", "")).rsplit("/", 1)[-1]


def _links(shape: str, is_desk: bool, takers: list[tuple[str, str, bool]]) -> dict[str, Any]:
    bare = shape.removeprefix("Page_").rstrip("_")
    where = "$response.body#/id" if bare == shape else "$response.body#/items/0/id"
    return {
        operation_id: {"operationId": operation_id, "parameters": {parameter: where}}
        for parameter, operation_id, of_desk in takers
        if bare in SOURCES[parameter] and of_desk == is_desk
    }
