"""One question's journey, played by pretend people through the real interfaces, and told as it happens.

Nothing here calls the product's functions: people text, mail, open pages and use the API, and read what arrives.
"""

import io
import json
import re
import textwrap
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command

from notifications.models import ItemCode
from people.models import Person
from questions import words
from questions.models import Assignment, Question
from rewards.models import Shop, ShopKey
from sandbox import acting, fcm
from sandbox.models import Letter

WAIT_SECONDS = 30.0
WIDTH = 100
LINES = json.loads((Path(__file__).parent / "demo" / "journey.json").read_text())


class StepFailed(Exception):
    """What should have happened and did not."""


class Journey:
    """`say` prints one line."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self.say = say
        self.began = time.monotonic()
        self.before = Letter.objects.order_by("-id").values_list("id", flat=True).first() or 0
        self.seen: dict[str, int] = {}

    def play(self) -> None:
        """By SMS, answered by mail, read by the friend; a vague one over the duty desk; one by app and push; and a gift."""
        self.say("\nOne question's journey\n" + "─" * WIDTH)
        self.say("(each line happened just now, through the real SMS, mail, web and API entrances)\n")
        self._by_sms()
        self._over_the_desk()
        self._by_push()
        self._a_gift()
        self.say("─" * WIDTH)

    # --- asked by SMS, answered by mail, read on the friend's page ---------------------------------------------------

    def _by_sms(self) -> None:
        asker = Person.objects.get(employee_number=LINES["asker"])
        self._tell(f"{asker.name}, in the shop, texts", LINES["ask_sms"])
        acting.text(str(asker.mobile), LINES["ask_sms"])
        receipt = self._letter(str(asker.mobile), "sms", "STATUS")
        self._tell(f"{asker.first_name}'s phone", receipt.body)
        question = self._question(asker)
        assignment = self._assignment(question)
        self._explain(question, assignment)
        expert = assignment.expert
        self._answer_by_mail(expert, question)
        answer = self._letter(str(asker.mobile), "sms", "/q/")
        self._tell(f"{asker.first_name}'s phone", answer.body)
        self._friend(answer.body, LINES["answer_mail"].splitlines()[0][:30])
        self._until(lambda: self._state(question) == "closed", "the question closes after the friend was helped")
        self._verdict(question)

    def _answer_by_mail(self, expert: Person, question: Question) -> None:
        offer = self._letter(str(expert.email), "email", question.reference, in_subject=True)
        self._tell(f"Mail to {expert.name}: {offer.subject}", offer.body.split("\n\n", 1)[-1])
        self._tell(f"{expert.first_name} presses reply and writes", LINES["answer_mail"])
        acting.reply(offer, LINES["answer_mail"])
        shown = self._letter(str(expert.email), "email", question.reference)
        self._tell(f"{expert.first_name} hears back", shown.body)

    def _friend(self, sms: str, expected: str) -> None:
        found = re.search(r"https?://\S+/q/\S+", sms)
        if not found:
            raise StepFailed("the asker's SMS holds no link for the friend")
        page = requests.get(found.group(0), timeout=10)
        if page.status_code != 200 or expected not in page.text:
            raise StepFailed("the friend's page does not show the answer")
        self._tell("The friend opens the link, without an account", f"{found.group(0)} shows the answer")
        pressed = requests.post(found.group(0), data={"action": "helped"}, timeout=10)
        if pressed.status_code != 200:
            raise StepFailed(f"pressing 'this helped' answered {pressed.status_code}")
        self._tell("The friend presses", "Yes, this helped")

    # --- too vague for the machine: the duty desk chooses, the expert asks back -----------------------------------------

    def _over_the_desk(self) -> None:
        vague = LINES["vague"]
        asker = Person.objects.get(employee_number=vague["asker"])
        self._tell(f"{asker.name} texts", vague["ask_sms"])
        acting.text(str(asker.mobile), vague["ask_sms"])
        receipt = self._letter(str(asker.mobile), "sms", "STATUS")
        self._tell(f"{asker.first_name}'s phone", receipt.body)
        question = self._question(asker)
        self._until(lambda: self._state(question) == "triage", "the duty desk to be asked")
        self._desk_chooses(question, vague["topic"])
        assignment = self._assignment(question)
        self._explain(question, assignment)
        expert = assignment.expert
        offer = self._letter(str(expert.email), "email", question.reference, in_subject=True)
        self._tell(f"{expert.first_name} presses reply and writes", vague["ask_back_mail"])
        acting.reply(offer, vague["ask_back_mail"])
        asked_back = self._letter(str(asker.mobile), "sms", question.reference)
        self._tell(f"{asker.first_name}'s phone, while the clock stands still", asked_back.body)
        code = self._code(asker, f"clarification:{self._clarification(question)}")
        self._tell(f"{asker.first_name} texts back", f"{code} {vague['reply_sms']}")
        acting.text(str(asker.mobile), f"{code} {vague['reply_sms']}")
        replied = self._letter(str(expert.email), "email", vague["reply_sms"])
        self._tell(f"Mail to {expert.name}: {replied.subject}", replied.body.split("\n\n", 1)[-1])
        acting.reply(replied, vague["answer_mail"])
        self._tell(f"{expert.first_name} presses reply and writes", vague["answer_mail"])
        self._until(lambda: self._state(question) == "answered", "the answer")
        self._verdict(question)

    def _desk_chooses(self, question: Question, topic: str) -> None:
        """Whoever is on duty replies to the mail with the name of the topic."""
        told = ItemCode.objects.filter(item=f"desk:{question.pk}").select_related("person").first()
        if told is None:
            raise StepFailed(f"nobody of the duty desk heard of {question.reference}")
        person = told.person
        letter = self._letter(str(person.email), "email", question.reference, in_subject=True)
        self._tell(f"Mail to {person.name}, on duty: {letter.subject}", letter.body.split("\n\n", 1)[-1])
        self._tell(f"{person.first_name} presses reply and writes", topic)
        acting.reply(letter, topic)

    def _clarification(self, question: Question) -> Any:
        found = question.clarifications.filter(replied_at__isnull=True).first()
        if found is None:
            raise StepFailed("the expert's question to the asker is not there")
        return found.pk

    def _code(self, person: Person, item: str) -> str:
        return ItemCode.objects.get(person=person, item=item).code

    # --- asked in one app, offered by push and answered in another ----------------------------------------------------

    def _by_push(self) -> None:
        english = LINES["en"]
        expert = Person.objects.get(employee_number=english["expert"])
        device, expert_token = self._install_app(expert)
        asker = Person.objects.get(employee_number=english["asker"])
        token = self._sign_in(asker)
        key = {"Idempotency-Key": str(uuid.uuid4())}
        asked = self._api("POST", "/questions", token, {"text": english["ask_api"], "language": "en"}, key)
        self._tell(f"{asker.name}'s app: POST /api/v1/questions", f"201 {asked['reference']} {english['ask_api']}")
        again = self._api("POST", "/questions", token, {"text": english["ask_api"], "language": "en"}, key)
        if again != asked:
            raise StepFailed("the same Idempotency-Key gave another answer")
        question = Question.objects.select_related("topic", "current_round", "asker").get(pk=asked["id"])
        self._explain(Question.objects.select_related("topic").get(pk=question.pk), self._assignment(question))
        path = self._accept_on_the_phone(expert, expert_token, device, question)
        body = {"text": english["answer_api"]}
        done = self._api("POST", f"{path}/answer", expert_token, body, {"Idempotency-Key": str(uuid.uuid4())})
        self._tell(f"{expert.name} answers in the app", f"201 {done['state']}: {english['answer_api']}")
        seen = self._api("GET", f"/questions/{question.pk}", token)
        if not seen["answer"] or seen["promise"]["status"] != "kept":
            raise StepFailed("the asker's app does not show the answer")
        self._tell(
            f"{asker.first_name}'s app: GET /api/v1/questions/…",
            f"{seen['state']}, promise {seen['promise']['status']}",
        )

    def _install_app(self, person: Person) -> tuple[str, str]:
        """Install, sign in with a code, register the phone. Returns the device's id and the app's access token."""
        access, device = self._sign_in(person), str(uuid.uuid4())
        address = fcm.install(str(person.mobile))  # what Firebase gives the app on this phone
        facts = {"platform": "android", "app_version": "1.0", "locale": "en-GB"}
        self._api("PUT", f"/devices/{device}", access, {"token": address, **facts})
        self._tell(
            f"{person.name} puts the app on a phone: PUT /api/v1/devices/…", "200: what follows comes as a push first"
        )
        return device, access

    def _accept_on_the_phone(self, expert: Person, token: str, device: str, question: Question) -> str:
        """The push that offers the question, its receipt, and its button. Returns the assignment's path in the API."""
        push = self._letter(str(expert.mobile), "push", question.reference, in_subject=True)
        told = push.data["data"]
        if "accept" not in told.get("actions", ""):
            raise StepFailed("the push has no button to accept with")
        self._tell(f"Push on {expert.first_name}'s phone", f"{push.subject}\n[{told['actions']}] {told['link']}")
        self._api("POST", f"/inbox/{told['notification']}/received", token, {"device": device})
        path = f"/assignments/{told['item'].split(':')[1]}"
        self._api("POST", f"{path}/accept", token)
        self._tell(f"{expert.first_name} presses", "accept")
        mails = Letter.objects.filter(channel="email", address=expert.email, subject__contains=question.reference)
        if mails.exists():
            raise StepFailed("what came as a push must not come by mail too")
        return path

    def _sign_in(self, person: Person) -> str:
        """With a one-time code, read from the person's own phone or mailbox."""
        base = f"{settings.PUBLIC_BASE_URL}/_allauth/app/v1/auth/code"
        address = {"phone": person.mobile} if person.mobile else {"email": person.email}
        asked = requests.post(f"{base}/request", json=address, timeout=10)
        if asked.status_code != 401:
            raise StepFailed(f"asking for a code answered {asked.status_code}")
        channel, to = ("sms", person.mobile) if person.mobile else ("email", person.email)
        letter = self._letter(str(to), channel, "#" if person.mobile else "")
        code = re.search(r"#(\S+)\s*$", letter.body) or re.search(r"\b([A-Z0-9]{3}-?[A-Z0-9]{3})\b", letter.body)
        if not code:
            raise StepFailed("the message holds no code")
        session = asked.json()["meta"]["session_token"]
        headers = {"X-Session-Token": session}
        done = requests.post(f"{base}/confirm", json={"code": code.group(1)}, headers=headers, timeout=10)
        if done.status_code != 200:
            raise StepFailed(f"confirming the code answered {done.status_code}")
        self._tell(f"{person.name} signs in", f"with the code that came by {channel}")
        return str(done.json()["meta"]["access_token"])

    def _api(
        self, method: str, path: str, token: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        response = requests.request(
            method,
            f"{settings.PUBLIC_BASE_URL}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            timeout=10,
        )
        if not response.ok:
            raise StepFailed(f"{method} {path} answered {response.status_code}: {response.text}")
        found: dict[str, Any] = response.json() if response.content else {}
        return found

    # --- a gift: given by SMS, claimed on a page, redeemed at a shop's till -----------------------------------------------

    def _a_gift(self) -> None:
        gift = LINES["gift"]
        giver = Person.objects.get(employee_number=gift["giver"])
        phone = str(giver.mobile)
        for said, heard in (("SALDO", ""), (gift["give_sms"], "?")):
            self._tell(f"{giver.first_name} texts", said)
            acting.text(phone, said)
            answer = self._letter(phone, "sms", heard)
            self._tell(f"{giver.first_name}'s phone", answer.body)
        digits = re.search(r"\b(\d{4})\b", answer.body)
        if not digits:
            raise StepFailed("the message holds no digits to confirm with")
        acting.text(phone, f"GEEF {digits.group(1)}")
        share = self._letter(phone, "sms", "/g/")
        self._tell(f"{giver.first_name} confirms and gets a link to send on", share.body)
        code = self._claim(share.body)
        self._at_the_till(code, gift["cents"])
        books = io.StringIO()
        call_command("ledger_check", stdout=books)
        self._tell("manage.py ledger_check", books.getvalue())

    def _claim(self, sms: str) -> str:
        found = re.search(r"https?://\S+/g/\S+", sms)
        if not found:
            raise StepFailed("the giver's SMS holds no link")
        opened = requests.get(found.group(0), timeout=10)
        if opened.status_code != 200 or 'id="code"' in opened.text:
            raise StepFailed("opening the link must show the gift and claim nothing")
        page = requests.post(found.group(0), data={"action": "claim"}, timeout=10)
        code = re.search(r'id="code"[^>]*>([^<]+)<', page.text)
        if not code:
            raise StepFailed(f"claiming answered {page.status_code} without a code")
        self._tell("The friend opens the link and presses", "Yes, I want this")
        self._tell("The page shows, to scan or to type", code.group(1).strip())
        return code.group(1).strip()

    def _at_the_till(self, code: str, cents: int) -> None:
        shop = Shop.objects.get(name=LINES["gift"]["shop"])
        key = ShopKey.issue(shop, label="journey")
        sale = {"code": code.lower(), "amount_cents": cents, "receipt": f"bon-{uuid.uuid4().hex[:8]}"}
        done = self._api("POST", "/till/sales", key, sale)
        again = self._api("POST", "/till/sales", key, sale)
        if again != done or done["captured_cents"] != cents:
            raise StepFailed("the same receipt must be booked once")
        self._tell(f"{shop.name}'s till: POST /api/v1/till/sales", f"201 {done['state']} € {cents / 100:.2f}, sent twice")

    # --- looking and telling -----------------------------------------------------------------------------------------

    def _letter(self, address: str, channel: str, text: str, *, in_subject: bool = False) -> Letter:
        """The next letter to this address that holds `text`."""

        after = self.seen.get(address, self.before)

        def look() -> Letter | None:
            rows = Letter.objects.filter(address=address, channel=channel, direction="to_person", id__gt=after)
            where = {"subject__contains": text} if in_subject else {"body__contains": text}
            return rows.filter(**where).order_by("id").first()

        found: Letter = self._until(look, f"a message to {address} with {text!r}")
        self.seen[address] = found.pk
        return found

    def _question(self, asker: Person) -> Question:
        return Question.objects.select_related("topic", "current_round", "asker").filter(asker=asker).latest("received_at")

    def _assignment(self, question: Question) -> Assignment:
        rows = Assignment.objects.select_related("expert", "question__topic").filter(question=question)
        found: Assignment = self._until(rows.first, f"an expert for {question.reference}")
        return found

    def _explain(self, question: Question, assignment: Assignment) -> None:
        question.refresh_from_db()
        topic = words.topic_name(question.topic, "en")
        sure = f" ({question.topic_confidence:.0%} sure)" if question.topic_confidence else ""
        why = words.why(assignment, Person(language="en", time_zone=assignment.expert.time_zone))
        self._tell("Routing", f"topic {topic}{sure} → {assignment.expert.name}: {why}")

    def _state(self, question: Question) -> str:
        return Question.objects.values_list("state", flat=True).get(pk=question.pk)

    def _verdict(self, question: Question) -> None:
        question = Question.objects.select_related("current_round").get(pk=question.pk)
        self._tell("The promise", f"{question.reference} {question.state}, promise {question.current_round.verdict}")

    def _until(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                raise StepFailed(f"waited {WAIT_SECONDS:.0f} s in vain for {what}")
            time.sleep(0.05)

    def _tell(self, who: str, text: str) -> None:
        self.say(f"{time.monotonic() - self.began:6.2f} s  {who}")
        for line in text.strip().splitlines():
            for part in textwrap.wrap(line, WIDTH - 14) or [""]:
                self.say(f"            │ {part}")
