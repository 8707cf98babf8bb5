"""The words for what can be done with questions, and which operations of the API each of them stands for."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifications import item_codes, reading
from notifications.inbound import confirming
from notifications.verbs import Verb, register
from people.models import Role
from questions import search, verbs

SEARCH_WORDS_MAX = 6
EXPERT, DESK = (Role.EXPERT,), (Role.DUTY_DESK, Role.ADMINISTRATOR)
LEAD = (Role.TOPIC_LEAD,)


def _code_or_nothing(person: Any, text: str) -> bool:
    return not reading.words(text) or item_codes.is_code(reading.bare_word(text))


def _looks_for(person: Any, text: str) -> bool:
    """ "Zoek in de app naar je rekening en tik dan op …" is an answer."""
    return text.rstrip().endswith("?") or len(reading.words(text)) <= SEARCH_WORDS_MAX


def _ends_with_level(person: Any, text: str) -> bool:
    return not text or text.split()[-1] in search.LEVELS


def fill_registry() -> None:
    _answering()
    _asking()
    _looking_up()
    _desk()


def _asking() -> None:
    question = ("question",)
    ask = ("VRAAG", "ASK"), verbs.ask, _("passes a friend's question on. EXCEPT Bob: or DIRECT: may come first.")
    register(Verb(*ask, _("ASK Why is the bill so high?"), ("ask", "ask_back"), takes_held=True, rank=1))
    status = ("STATUS",), verbs.status, _("how your open items stand, with their codes.")
    operations: tuple[str, ...] = ("list_questions", "get_question", "list_assignments", "list_approvals")
    register(Verb(*status, _("STATUS A7"), operations, fits=_code_or_nothing, rank=1))
    more = ("MEER", "MORE"), verbs.more, _("reads on in an answer, or in the question you are to answer.")
    kinds = (*question, "assignment", "clarification", "approval", "desk", "found", "card")
    register(Verb(*more, _("MORE A7"), ("get_question", "get_assignment"), kinds, words_max=0))
    helped = ("GELUKT", "HELPED"), verbs.helped, _("the answer helped your friend.")
    register(Verb(*helped, _("HELPED A7"), ("rate_answer",), question, words_max=0))
    not_yet = ("NIETGELUKT", "NOTYET"), verbs.not_yet, _("it did not help: it is looked at once more.")
    register(Verb(*not_yet, _("NOTYET A7"), ("rate_answer",), question, words_max=0))
    relayed = ("DOORGEGEVEN", "RELAYED"), verbs.relayed, _("you passed the answer on.")
    register(Verb(*relayed, _("RELAYED A7"), ("relay_answer",), question, words_max=0))
    withdraw = ("INTREKKEN", "WITHDRAW"), verbs.withdraw, _("takes an unanswered question back.")
    register(Verb(*withdraw, _("WITHDRAW A7"), ("withdraw_question",), question, words_max=0))


def _answering() -> None:
    mine = ("assignment",)
    answerable = (*mine, "clarification")
    answer = ("ANTW", "ANSWER"), verbs.answer, _("answers the item with that code.")
    operations: tuple[str, ...] = ("answer_assignment", "reply_clarification", "answer_desk_item")
    register(Verb(*answer, _("ANSWER A7 + text"), operations, (*answerable, "desk"), takes_held=True), bare=answerable)
    accept = ("JA", "ACCEPT"), verbs.accept, _("takes a question, or approves a colleague's answer.")
    operations = ("accept_assignment", "approve_answer", "take_desk_item", "approve_topic_card")
    kinds = (*mine, "approval", "desk", "card", confirming.KIND)
    register(Verb(*accept, _("ACCEPT A7"), operations, kinds, words_max=0))
    decline = ("NEE", "DECLINE"), verbs.decline, _("leaves a question to somebody else.")
    register(Verb(*decline, _("DECLINE A7"), ("decline_assignment",), (*mine, confirming.KIND), words_max=0))
    wrong = ("ANDERS", "WRONG"), verbs.not_mine, _("the question is about another topic.")
    register(Verb(*wrong, _("WRONG A7"), ("decline_assignment",), mine, needs_code=True, words_max=0))
    back = ("TERUG", "BACK"), verbs.back, _("hands back what you took.")
    operations = ("hand_back_assignment", "hand_back_desk_item")
    register(Verb(*back, _("BACK A7"), operations, (*mine, "desk"), needs_code=True, words_max=0))
    pass_on = ("DOOR", "PASS"), verbs.pass_on, _("passes it to a colleague; without a name: who there is.")
    operations = ("pass_assignment", "list_colleagues", "assign_desk_item", "list_desk_experts")
    register(Verb(*pass_on, _("PASS A7 Bob"), operations, (*mine, "desk"), needs_code=True))
    correct = ("CORRECTIE", "CORRECT"), verbs.correct, _("replaces the answer that you gave.")
    operations = ("correct_answer", "correct_desk_item")
    register(Verb(*correct, _("CORRECT A7 + text"), operations, (*mine, "desk"), needs_code=True))
    wait = ("WACHT", "WAIT"), verbs.wait, _("your answer does not leave for the friend yet.")
    register(Verb(*wait, _("WAIT A7"), ("hold_answer",), mine, words_max=0))
    send = ("STUUR", "SEND"), verbs.send, _("your answer leaves now.")
    register(Verb(*send, _("SEND A7"), ("send_answer",), mine, words_max=0))
    reject = ("AFKEUR", "REJECT"), verbs.reject, _("sends a colleague's answer back, with your remark.")
    register(Verb(*reject, _("REJECT A7 + why"), ("reject_answer",), ("approval",), needs_code=True))


def _looking_up() -> None:
    look = ("ZOEK", "SEARCH"), search.knowledge_for, _("finds earlier answers.")
    register(Verb(*look, _("SEARCH roaming Turkey"), ("search_knowledge",), fits=_looks_for, takes_held=True, rank=1))
    reuse = ("HERGEBRUIK", "REUSE"), verbs.reuse_it, _("this earlier answer is the one.")
    operations: tuple[str, ...] = ("reuse_answer", "reuse_for_question")
    register(Verb(*reuse, _("REUSE A7"), operations, ("question", "found"), words_max=0))
    who = ("WIE", "WHO"), search.colleagues, _("finds colleagues by name or topic.")
    register(Verb(*who, _("WHO roaming"), ("search_directory",), words_max=3))
    topics = ("ONDERWERPEN", "TOPICS"), search.topics, _("what questions can be about.")
    register(Verb(*topics, _("TOPICS"), ("list_topics",), words_max=0))
    card = ("KAART", "CARD"), verbs.card, _("what you may say about a topic.")
    operations = ("list_topic_cards", "list_card_drafts")
    register(Verb(*card, _("CARD roaming"), operations, words_max=4))
    know = ("KEN", "KNOW"), verbs.know, _("which topics you answer; with a level, 0 to 2: from now on.")
    operations = ("list_expertise", "set_expertise", "drop_expertise")
    register(Verb(*know, _("KNOW roaming 2"), operations, (), EXPERT, words_max=5, fits=_ends_with_level, rank=1))
    experts = ("EXPERTS",), search.experts, _("who knows a topic that you lead; with name and level, 0 to 3: from now on.")
    operations = ("list_topic_experts", "set_topic_expert", "drop_topic_expert")
    register(Verb(*experts, _("EXPERTS roaming Bob 2"), operations, (), LEAD, words_max=6, rank=1))


def _desk() -> None:
    desk = ("desk",)
    listing = ("BALIE", "DESK"), verbs.desk_list, _("what waits for the desk, with codes.")
    register(Verb(*listing, _("DESK"), ("list_desk_items",), (), DESK, words_max=0, rank=1))
    duties = ("DIENST", "DUTY"), verbs.duties, _("when you are on duty.")
    register(Verb(*duties, _("DUTY"), ("list_shifts",), (), DESK, words_max=0, rank=1))
    topic = ("ONDERWERP", "TOPIC"), verbs.topic, _("chooses the topic, by name or number.")
    register(Verb(*topic, _("TOPIC A7 roaming"), ("choose_topic",), desk, needs_code=True))
    close = ("SLUIT", "CLOSE"), verbs.close, _("closes it: not a question, duplicate.")
    register(Verb(*close, _("CLOSE A7 duplicate"), ("close_desk_item",), desk, needs_code=True))
