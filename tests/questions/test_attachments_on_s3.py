"""The same with an S3 bucket in place of the disk, over HTTP."""

from collections.abc import Iterator

import boto3
import pytest
import requests
from django.conf import settings
from django.test import Client, override_settings
from moto.server import ThreadedMotoServer

from questions.models import Attachment
from tests.conftest import Cast, api, ask, post, work
from tests.questions.test_attachments import photo, upload

pytestmark = [
    pytest.mark.usefixtures("committed", "wires"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # moto's and botocore's own
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "pretend")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pretend")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    where = {"endpoint_url": endpoint, "region_name": "eu-central-1"}
    place = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3", **where).create_bucket(Bucket="bills", CreateBucketConfiguration=place)
    options = {"bucket_name": "bills", "querystring_expire": 60, **where}
    s3 = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    with override_settings(ATTACHMENTS_BUCKET="bills", STORAGES={**settings.STORAGES, "attachments": s3}):
        yield endpoint
    server.stop()


def test_pictures_lie_in_the_bucket_and_leave_it(cast: Cast, bucket: str) -> None:
    alice = api(cast.alice)
    made = upload(alice, ask(cast.alice), photo())
    work()
    shown = alice.get(f"/api/v1/attachments/{made.json()['id']}").json()
    assert shown["state"] == "private"
    on_its_way = Client().get(shown["picture_url"].removeprefix(settings.PUBLIC_BASE_URL))
    assert on_its_way.status_code == 302
    assert on_its_way["Location"].startswith(f"{bucket}/bills/attachments/")
    assert "Expires=" in on_its_way["Location"]
    assert requests.get(on_its_way["Location"], timeout=10).content.startswith(b"\xff\xd8")
    post(alice, f"/attachments/{shown['id']}/share", {"version": 1})
    work()
    alice.delete(f"/api/v1/attachments/{shown['id']}")
    work()
    assert Attachment.objects.get().state == "removed"
    s3 = boto3.client("s3", endpoint_url=bucket, region_name="eu-central-1")
    assert s3.list_objects_v2(Bucket="bills").get("KeyCount") == 0
