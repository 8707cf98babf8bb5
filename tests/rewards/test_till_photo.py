"""A till reads the code out of a photo of the friend's page; what is no photo of a code is refused in a clear sentence."""

import io
from typing import Any

import pytest
import segno
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageFilter

from rewards import scanning
from rewards.models import Counter
from tests.conftest import Cast
from tests.rewards.conftest import Mall, claim, earn, give
from tests.rewards.test_till_page import opened

NOTHING_FOUND = "There is no code of ours in this photo."


@pytest.fixture
def code(quiet_cast: Cast, quiet_mall: Mall) -> str:
    earn(quiet_cast.alice, 10)
    return claim(give(quiet_cast.alice, quiet_mall.coffee)["link"])


def qr(text: str) -> Image.Image:
    """As the claim page draws it."""
    out = io.BytesIO()
    segno.make(text.replace("-", ""), error="m").save(out, kind="png", scale=6, border=2)
    return Image.open(out).convert("L")


def on_a_table(drawn: Image.Image, *, turned: int, size: int, noise: int = 0, blur: float = 0) -> Image.Image:
    """A photo of 1600 × 1200 in which the QR lies somewhere, `size` pixels wide."""
    table = Image.new("L", (1600, 1200), 150)
    lying = drawn.resize((size, size)).convert("LA").rotate(turned, expand=True, resample=Image.Resampling.BICUBIC)
    table.paste(lying.convert("L"), (500, 350), lying.getchannel("A"))
    table = table.filter(ImageFilter.GaussianBlur(blur))
    return Image.blend(table, Image.effect_noise(table.size, noise), 0.35) if noise else table


def as_file(picture: Image.Image, kind: str = "JPEG", **options: Any) -> SimpleUploadedFile:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return SimpleUploadedFile("photo", out.getvalue(), "image/whatever")


def send(browser: Client, photo: Any) -> tuple[int, str]:
    response = browser.post("/till/", {"action": "read_photo", "photo": photo})
    return response.status_code, response.content.decode()


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("JPEG", {"turned": 0, "size": 500}),
        ("JPEG", {"turned": 33, "size": 420}),
        ("PNG", {"turned": 180, "size": 110}),
        ("WEBP", {"turned": 271, "size": 300, "blur": 2}),
        ("JPEG", {"turned": 12, "size": 400, "noise": 120}),
    ],
)
def test_the_code_is_read_turned_small_blurred_and_noisy(
    quiet_mall: Mall, code: str, kind: str, taken: dict[str, Any]
) -> None:
    status, page = send(opened(quiet_mall), as_file(on_a_table(qr(code), **taken), kind))
    assert status == 200, page
    assert "A koffie" in page
    assert "€5.00 left" in page


def test_a_large_photo_of_a_phone_is_read_and_not_kept_in_memory_whole(quiet_mall: Mall, code: str) -> None:
    photo = on_a_table(qr(code), turned=20, size=420).resize((8000, 6000))
    assert send(opened(quiet_mall), as_file(photo))[0] == 200


def test_a_photo_without_a_code_of_ours_counts_as_no_guess(quiet_mall: Mall, code: str) -> None:
    browser = opened(quiet_mall)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for shown in (Image.new("L", (800, 600), 90), qr("https://elsewhere.example/"), qr(wrong)):
        status, page = send(browser, as_file(shown))
        assert status == 422
        assert NOTHING_FOUND in page
        assert "koffie" not in page
    assert not Counter.objects.filter(scope__startswith="till:").exists()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"GIF89a" + b"\0" * 40,
        b"%PDF-1.7",
        b"\xff\xd8\xff\xe0" + b"x" * 300,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_rubbish_is_refused_in_the_readers_language(quiet_mall: Mall, rubbish: bytes) -> None:
    browser = opened(quiet_mall)
    photo = SimpleUploadedFile("photo.jpg", rubbish or b"\0", "image/jpeg")
    status, page = send(browser, photo)
    assert status == 422
    assert "This is no photo that we can read." in page
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    photo.seek(0)
    assert "Dit is geen foto die we kunnen lezen." in send(browser, photo)[1]


def test_a_broken_photo_is_refused(quiet_mall: Mall, code: str) -> None:
    whole = as_file(on_a_table(qr(code), turned=0, size=500)).read()
    status, page = send(opened(quiet_mall), SimpleUploadedFile("photo.jpg", whole[: len(whole) // 3]))
    assert (status, "This is no photo that we can read." in page) == (422, True)


def test_the_largest_photo_that_is_allowed_is_read(quiet_mall: Mall, code: str) -> None:
    picture = as_file(on_a_table(qr(code), turned=0, size=500)).read()
    status, _page = send(opened(quiet_mall), SimpleUploadedFile("photo.jpg", picture.ljust(scanning.BYTES_MAX, b"\0")))
    assert status == 200


@pytest.mark.parametrize("size", [(9000, 9000), (5000, 4000)])
def test_more_pixels_than_we_decode_are_refused_before_they_take_memory(quiet_mall: Mall, size: tuple[int, int]) -> None:
    status, page = send(opened(quiet_mall), as_file(Image.new("1", size), "PNG"))
    assert (status, "too many pixels" in page) == (422, True)


def test_thirty_megabytes_are_refused_before_they_are_stored(quiet_mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    def stored(*_args: Any, **_more: Any) -> None:
        raise AssertionError("this upload was to be thrown away")

    browser = opened(quiet_mall)
    monkeypatch.setattr("django.http.multipartparser.MultiPartParser.parse", stored)
    status, page = send(browser, SimpleUploadedFile("photo.jpg", b"\xff\xd8" + b"\0" * 30_000_000, "image/jpeg"))
    assert (status, "too large: 12 MB at most" in page) == (413, True)
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    assert "te groot: hoogstens 12 MB" in send(browser, SimpleUploadedFile("p.jpg", b"\0" * 30_000_000))[1]


def test_no_photo_at_all_asks_for_one(quiet_mall: Mall) -> None:
    assert opened(quiet_mall).post("/till/", {"action": "read_photo"}).status_code == 422


def test_the_page_loads_its_own_script_and_nothing_else(quiet_mall: Mall) -> None:
    response = opened(quiet_mall).get("/till/")
    policy = dict(rule.split(" ", 1) for rule in response["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert "unsafe" not in policy["script-src"]
    page = response.content.decode()
    assert page.count("<script") == 1
    assert "onclick" not in page


def test_another_site_cannot_send_a_photo(quiet_mall: Mall, code: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = opened(quiet_mall).cookies
    assert send(browser, as_file(qr(code)))[0] == 403
