"""Answers found again, their uses, and what people ask in a week."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from pgvector.django import HalfVectorField, HnswIndex

from questions.models.answers import Answer
from questions.models.questions import Question
from questions.models.topics import Topic

EMBEDDING = 512  # numbers that the sentence encoder makes of a text


class KnowledgeEntry(models.Model):
    """An answered question as others find it. Made without its vector when the answer is released; the worker fills it in.

    What is shown is read from the answer itself, so that a correction counts at once: only the order may lag behind.
    """

    question = models.OneToOneField(Question, models.CASCADE, primary_key=True, related_name="knowledge")
    answer = models.ForeignKey(Answer, models.CASCADE, related_name="+")
    text = models.TextField(blank=True)  # the question, masked; empty until learned
    embedding = HalfVectorField(dimensions=EMBEDDING, null=True, blank=True)  # of length 1; half precision fits a page
    words = SearchVectorField(null=True, blank=True)  # of question (A) and answer (B), in the question's language
    learn_at = models.DateTimeField(null=True, blank=True)  # due row; null when learned

    class Meta:
        verbose_name_plural = "knowledge entries"
        indexes: ClassVar = [
            HnswIndex(
                name="knowledge_meaning",
                fields=["embedding"],
                m=16,
                ef_construction=64,
                opclasses=["halfvec_cosine_ops"],
            ),
            GinIndex(fields=["words"], name="knowledge_words"),
            models.Index(fields=["learn_at"], condition=Q(learn_at__isnull=False), name="knowledge_learn_due"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Reuse(models.Model):
    """A question that was closed with the answer to an earlier one. What its asker passed on stands here."""

    question = models.OneToOneField(Question, models.CASCADE, related_name="reuse")
    source = models.ForeignKey(Question, models.CASCADE, related_name="reuses")  # whose answer it is
    answer = models.ForeignKey(Answer, models.CASCADE, related_name="reuses")  # the text as it was when it was taken
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    used_at = models.DateTimeField()
    is_counted = models.BooleanField(
        default=True
    )  # a second use by the same person, or the author's own, counts for nobody
    is_told = models.BooleanField(default=False)  # its author has heard of it
    helped = models.BooleanField(null=True, blank=True)  # this friend's one rating
    rated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["used_at"], condition=Q(is_counted=True, is_told=False), name="reuse_untold"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "person"], condition=Q(is_counted=True), name="reuse_counts_once_a_person"
            ),
            models.CheckConstraint(condition=~Q(question=F("source")), name="reuse_of_another_question"),
        ]

    def __str__(self) -> str:
        return f"{self.question_id} ← {self.source_id}"

    def mark_rated(self, *, helped: bool, at: datetime) -> bool:
        """One rating a use, like an answer's."""
        return bool(type(self).objects.filter(pk=self.pk, helped__isnull=True).update(helped=helped, rated_at=at))


class AskedWeek(models.Model):
    """A week whose questions were grouped: by topic, and in a topic by what they ask."""

    starts_on = models.DateField(primary_key=True)  # its Monday, in the company's time
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.starts_on.isoformat()


class AskedGroup(models.Model):
    """What several people asked in a week about one topic."""

    week = models.ForeignKey(AskedWeek, models.CASCADE, related_name="groups")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="+")
    rank = models.PositiveSmallIntegerField()  # 1 is the largest of its topic
    text = models.TextField()  # the question that stands for the others, masked
    count = models.PositiveIntegerField()
    total = models.PositiveIntegerField()  # questions on the topic in this week
    previous_count = models.PositiveIntegerField()  # questions like this one the week before

    class Meta:
        ordering: ClassVar = ["-week", "-count", "topic", "rank"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["week", "topic", "rank"], name="askedgroup_rank_once")]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def share(self) -> float:
        """Of the topic's questions in the week, 0 to 1."""
        return self.count / self.total

    @property
    def change(self) -> int:
        return self.count - self.previous_count
