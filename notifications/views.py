"""Where providers call: check the signature, store, return 2xx. Twilio waits 15 seconds in all and retries little."""

import logging
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from anymail.signals import inbound as anymail_inbound
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator

from backend.manners import problem
from notifications import delivery, inbound, stops
from notifications.channels import sms
from notifications.inbound import mail
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
    delivery.note_status(delivery_id, fields.get("MessageSid", ""), fields.get("MessageStatus", ""), error)
    if code.isascii() and code.isdecimal() and int(code) in sms.ADDRESS_IS_DEAD:
        stops.stopped_at_provider(delivery_id, word=error)
    return HttpResponse(status=204)


@receiver(anymail_inbound)
def anymail_mail(sender: Any, event: Any, **_: Any) -> None:
    """A mail by a provider's webhook (Anymail has checked its secret). An exception here makes the provider retry."""
    message = event.message
    to = [message.envelope_recipient] if message.envelope_recipient else [a.addr_spec for a in message.to]
    raw = message.as_bytes()
    inbound.store(Channel.EMAIL, raw=raw, **mail.identify(raw, to))
