"""What opens without sign-in: the friend's page, the expert's by magic link, a picture. Opening shows, pressing acts."""

from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_safe

from backend import clock
from backend.errors import Refusal
from backend.pages import secret_page
from questions import after, answering, attachments, corrections, friends, links, releasing, words
from questions.masking import masked
from questions.models import Assignment, Question


@secret_page
def friend_page(request: HttpRequest, friend_key: str) -> HttpResponse:
    """The friend reads the answer, says whether it helped, or leaves an address for a `direct` answer."""
    question = Question.objects.select_related("current_round", "asker").filter(friend_key=friend_key).first()
    if question is None:
        raise Http404
    language = request.GET.get("lang", question.language)
    with translation.override(language if language in {"nl", "en"} else question.language):
        problem, status = "", 200
        if request.method == "POST":
            try:
                _friend_acts(request, question)
                return redirect(request.get_full_path())
            except Refusal as refusal:
                problem, status = refusal.message, refusal.status
        return render(request, "questions/friend.html", _friend_words(question, problem), status=status)


def _friend_acts(request: HttpRequest, question: Question) -> None:
    action = request.POST.get("action", "")
    if action in {"helped", "not_yet"}:
        after.rate(question.pk, helped=action == "helped")
    elif action == "address":
        friends.ask_code(question, request.POST.get("address", "")[:254])
    elif action == "code":
        friends.confirm(question, request.POST.get("code", "")[:12])


def _friend_words(question: Question, problem: str) -> dict[str, Any]:
    friend = getattr(question, "friend_address", None)
    given = after.shown(question)
    return {
        "question": question,
        "answer": given,
        "expired": given is not None and given.valid_until is not None and given.valid_until <= clock.now(),
        "is_open": question.is_unanswered,
        "withdrawn": question.state == Question.State.WITHDRAWN,
        "due": words.when(question.current_round.due_at, question.asker),
        "overdue": question.current_round.status(clock.now()) in {"overdue", "breached"},
        "direct": question.answer_mode == "direct",
        "friend": friend,
        "problem": problem,
        "language": translation.get_language(),
    }


@secret_page
def answer_page(request: HttpRequest, token: str) -> HttpResponse:
    """The expert's magic link: read the question, accept, decline or answer it."""
    assignment_id = links.read_answer_token(token)
    if assignment_id is None:
        raise Http404
    assignment = (
        Assignment.objects.select_related("question__topic", "question__current_round", "expert")
        .filter(pk=assignment_id)
        .first()
    )
    if assignment is None or not assignment.expert.is_active:
        raise Http404
    with translation.override(assignment.expert.language):
        problem, status, typed = "", 200, ""
        if request.method == "POST":
            typed = request.POST.get("text", "")
            try:
                _expert_acts(request, assignment)
                return redirect(request.get_full_path())
            except Refusal as refusal:
                problem, status = refusal.message, refusal.status
        words_ = {**_expert_words(assignment), "problem": problem, "typed": typed}
        return render(request, "questions/answer.html", words_, status=status)


def _expert_acts(request: HttpRequest, assignment: Assignment) -> None:
    action, expert = request.POST.get("action", ""), assignment.expert
    if action == "accept":
        answering.accept(expert, assignment.pk)
    elif action == "decline":
        reasons = Assignment.DeclineReason.values
        reason = request.POST.get("reason", "other")
        answering.decline(expert, assignment.pk, reason if reason in reasons else "other")
    elif action == "answer":
        given = answering.answer(
            expert,
            assignment.pk,
            request.POST.get("text", ""),
            internal_note=request.POST.get("internal_note", ""),
            received_at=clock.now(),
            source="link",
        )
        if given.state == given.State.REFUSED:
            raise answering.AlreadyAnswered(words.too_late(Question.objects.get(pk=assignment.question_id), expert))
    elif action == "hold":
        releasing.hold(expert, assignment.pk)
    elif action == "send":
        releasing.send(expert, assignment.pk, received_at=clock.now())
    elif action == "correct":
        draft = answering.Draft(request.POST.get("text", ""), clock.now(), "link")
        corrections.correct(expert, assignment.question_id, draft)


def _expert_words(assignment: Assignment) -> dict[str, Any]:
    question, expert = assignment.question, assignment.expert
    own = assignment.answers.order_by("-received_at").first()
    return {
        "assignment": assignment,
        "question": question,
        "text": masked(question.text),
        "topic": words.topic_name(question.topic, expert.language),
        "why": words.why(assignment, expert),
        "due": words.when(question.current_round.due_at, expert),
        "overdue": question.current_round.status(clock.now()) in {"overdue", "breached"},
        "can_answer": question.is_unanswered and assignment.round_id == question.current_round_id,
        "own_answer": own,
        "pictures": [
            {"url": attachments.url_path(one), "thumbnail": attachments.url_path(one, thumbnail=True)}
            for one in attachments.shared_with([assignment])[assignment.pk]
        ],
        "leaves": words.when(own.leaves_at, expert) if own and own.leaves_at else "",
        "language": expert.language,
    }


@require_safe
def file(request: HttpRequest, token: str) -> HttpResponseBase:
    """A picture, by the short-lived address that the API and the pages hand out."""
    path = attachments.read_url(token)
    if path is None:
        raise Http404
    if settings.ATTACHMENTS_BUCKET:
        response: HttpResponseBase = redirect(attachments.store().url(path))
        response["Cache-Control"] = "no-store"  # the bucket's own address lives shorter than ours
    else:
        response = FileResponse(attachments.store().open(path), content_type="image/jpeg")
        response["Cache-Control"] = f"private, max-age={attachments.URL_SECONDS}"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
