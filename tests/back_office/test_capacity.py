"""How much an expert may hold is edited here; what they hold is not."""

from questions import routing
from questions.models import Question, Workload
from tests.back_office.conftest import signed_in
from tests.conftest import Cast, person
from tests.questions import crowd


def test_more_capacity_takes_effect_at_once_and_the_count_stays(quiet_cast: Cast) -> None:
    quiet_cast.topic.expertise.exclude(person=quiet_cast.bob).delete()
    Workload.objects.filter(person=quiet_cast.bob).update(capacity=0)
    [pk] = crowd.questions(quiet_cast.alice, quiet_cast.topic, 1)
    routing.route(pk)
    path = f"/admin/questions/workload/{quiet_cast.bob.pk}/change/"
    office = signed_in(person("E8", "Ada Admin", "administrator"))
    assert office.post(path, {"capacity": 2, "open_count": 9}).status_code == 302
    crowd.fill_due()
    assert Question.objects.get(pk=pk).state == "offered"
    assert Workload.objects.get(person=quiet_cast.bob).open_count == 1
    assert office.post(path, {"capacity": 51}).status_code == 200  # shown again with the error
    assert signed_in(quiet_cast.dana).post(path, {"capacity": 5}).status_code == 403
    assert Workload.objects.get(person=quiet_cast.bob).capacity == 2
