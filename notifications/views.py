"""Where providers call: check the signature, store, return 2xx. Twilio waits 15 seconds in all and retries little."""

import logging
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator

from backend.manners import problem
from notifications import inbound, outcomes, stops
from notifications.channels import sms, sms_http
from notifications.models import Channel

log = logging.getLogger(__name__)

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def _is_from_twilio(request: HttpRequest) -> bool:
    """The signature is over the public address, not over the Host header that a caller can choose. Fails closed."""
    signature = request.headers.get("X-Twilio-Signature", "")
    if not signature:
        return False
    url = settings.PUBLIC_BASE_URL + request.get_full_path()
    return bool(RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(url, request.POST, signature))


def _forbidden() -> HttpResponse:
    return problem(403, "bad_signature", "The signature does not match.")


@csrf_exempt
@require_POST
def twilio_sms(request: HttpRequest) -> HttpResponse:
    """An SMS came in. Twilio adds parameters unannounced: validate all, keep all, pick later."""
    if not _is_from_twilio(request):
        return _forbidden()
    sid, sender = request.POST.get("MessageSid", ""), request.POST.get("From", "")
    if not sid or not sender:
        return problem(400, "bad_request", "MessageSid and From are needed.")
    raw = urlencode(list(request.POST.lists()), doseq=True).encode()
    inbound.store(Channel.SMS, sid, sender=sender, recipient=request.POST.get("To", ""), raw=raw)
    return HttpResponse(EMPTY_TWIML, content_type="text/xml")


@csrf_exempt
@require_POST
def twilio_status(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """What became of one SMS."""
    if not _is_from_twilio(request):
        return _forbidden()
    fields = request.POST
    code = fields.get("ErrorCode", "")
    error = f"twilio {code}" if code else ""
    outcomes.note_status(delivery_id, fields.get("MessageSid", ""), fields.get("MessageStatus", ""), error)
    if code.isascii() and code.isdecimal() and int(code) in sms.ADDRESS_IS_DEAD:
        stops.stopped_at_provider(delivery_id, word=error)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def second_sms(request: HttpRequest) -> HttpResponse:
    """An SMS came in at the second provider: `{"id", "from", "to", "text"}`."""
    fields = _from_second(request)
    if isinstance(fields, HttpResponse):
        return fields
    if not fields.get("id") or not fields.get("from"):
        return problem(400, "bad_request", "id and from are needed.")
    raw, sid = sms_http.as_stored(fields), sms_http.provider_id(fields["id"])
    inbound.store(Channel.SMS, sid, sender=fields["from"], recipient=fields.get("to", ""), raw=raw)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def second_status(request: HttpRequest) -> HttpResponse:
    """What became of one SMS of the second provider: `{"id", "reference", "status", "error"}`, statuses as Twilio's."""
    fields = _from_second(request)
    if isinstance(fields, HttpResponse):
        return fields
    try:
        reference = UUID(fields.get("reference", ""))
    except ValueError:
        return problem(400, "bad_request", "reference must be the one that came with the message.")
    sid = sms_http.provider_id(fields.get("id", ""))
    outcomes.note_status(reference, sid, fields.get("status", ""), fields.get("error", ""))
    return HttpResponse(status=204)


def _from_second(request: HttpRequest) -> dict[str, str] | HttpResponse:
    if not sms_http.is_signed(request.body, request.headers.get("X-Signature", "")):
        return _forbidden()
    try:
        return sms_http.read(request.body)
    except ValueError:
        return problem(400, "bad_request", "The body is no JSON object.")
