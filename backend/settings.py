"""Every setting. All environment variables are read and checked here and nowhere else.

With no environment at all the product runs on this machine alone: its own PostgreSQL and Valkey under `var/`, and the
sandbox in place of SMS and mail providers. In production (`ENVIRONMENT=production`) nothing is guessed: a missing
secret or provider stops the start with a sentence that names the variable.
"""

import base64
import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env

from backend import embedded

# Before anything loads numpy: on small matrices, several BLAS threads beside other processes cost four times the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()
_ports = ("WEB_PORT", "LIVE_PORT", "MAIL_IN_PORT")
for _name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "ALLOWED_HOSTS", "TRUST_PROXY", *_ports):
    if not os.environ.get(_name, "x").strip():
        del os.environ[_name]  # compose files pass what is unset as empty

ENVIRONMENT = env.str("ENVIRONMENT", "development")
if ENVIRONMENT not in {"development", "test", "production"}:
    raise ImproperlyConfigured(f"ENVIRONMENT must be development, test or production, not {ENVIRONMENT!r}")
PRODUCTION = ENVIRONMENT == "production"
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var"))).resolve()


def _required_in_production(name: str, default: str) -> str:
    """The variable's value; outside production `default` when it is unset."""
    value = env.str(name, "")
    if value:
        return value
    if PRODUCTION:
        raise ImproperlyConfigured(f"{name} must be set in production")
    return default


def _local_secret() -> str:
    """A secret made once for this `var/` folder, so that links and sign-ins survive a restart."""
    path = VAR_DIR / "secret"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"secret.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):  # unlike rename, a hard link fails when another process was first
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_text()


def derived_secret(purpose: str) -> str:
    """A secret of its own for one purpose, so that no two uses share a key."""
    digest = hashlib.sha256(f"{purpose}:{SECRET_KEY}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


SECRET_KEY = _required_in_production("SECRET_KEY", "" if PRODUCTION else _local_secret())
# Gifts' links and voucher codes are derived from it: it outlives SECRET_KEY, and changing it voids what is outstanding.
VOUCHER_KEY = _required_in_production("VOUCHER_KEY", "" if PRODUCTION else derived_secret("voucher"))
DEBUG = False

# --- where people reach us -------------------------------------------------------------------------------------------
WEB_HOST = env.str("WEB_HOST", "127.0.0.1")
WEB_PORT = env.int("WEB_PORT", 8000)
LIVE_PORT = env.int("LIVE_PORT", 8001)
PUBLIC_BASE_URL = _required_in_production("PUBLIC_BASE_URL", f"http://127.0.0.1:{WEB_PORT}").rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ImproperlyConfigured(f"PUBLIC_BASE_URL must be an http(s) address, not {PUBLIC_BASE_URL!r}")
if "_" in _public.hostname:
    raise ImproperlyConfigured("PUBLIC_BASE_URL's host must not hold an underscore: Twilio refuses to call it back")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", [_public.hostname, "127.0.0.1", "localhost"])
# Where the live process answers `GET /events`. In production the proxy in front sends that one path there.
EVENTS_URL = env.str("EVENTS_URL", "") or (
    f"{PUBLIC_BASE_URL}/api/v1/events" if PRODUCTION else f"http://127.0.0.1:{LIVE_PORT}/api/v1/events"
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TRUST_PROXY", False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION and _public.scheme == "https" else 0
# Pages' addresses may be secrets and must not travel to other sites; with "no-referrer" browsers would hide from our own
# forms too where they come from, and Django would refuse them. Secret pages say no-referrer themselves.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The proxy in front redirects to https; HSTS for subdomains and preloading are its owner's to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

# --- PostgreSQL and Valkey -------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
EMBEDDED_POSTGRES, EMBEDDED_VALKEY = not DATABASE_URL, not REDIS_URL
EMBEDDED = EMBEDDED_POSTGRES or EMBEDDED_VALKEY
if EMBEDDED:
    if PRODUCTION:
        raise ImproperlyConfigured("DATABASE_URL and REDIS_URL must be set in production")
    _own = embedded.locate(VAR_DIR)
    DATABASE_URL = DATABASE_URL or _own.database_url
    REDIS_URL = REDIS_URL or _own.redis_url
DATABASES: dict[str, Any] = {"default": env.dj_db_url("DATABASE_URL", DATABASE_URL)}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL server: there is one SQL dialect")
DATABASES["default"] |= {
    "ENGINE": "backend.database",  # the same, with a sign of life that costs no query
    "CONN_MAX_AGE": None,  # a new connection costs about 14 ms of PostgreSQL's time
    "CONN_HEALTH_CHECKS": True,
    # hnsw.ef_search: how widely the vector index looks; pgvector's own 40 is just what a search takes from it.
    # plan_cache_mode: what is prepared (backend.prepared) is planned once; each of these statements has one good plan.
    # random_page_cost: no disk turns. With PostgreSQL's own 4 a table that has just grown is read whole for 40 rows.
    "OPTIONS": {
        "options": "-c lock_timeout=3s -c statement_timeout=30s -c hnsw.ef_search=100 -c random_page_cost=1.1"
        " -c plan_cache_mode=force_generic_plan",
        "connect_timeout": 5,
    },
}
PREPARED_STATEMENTS = env.bool("PREPARED_STATEMENTS", True)  # off behind a pool that does not know them
if PREPARED_STATEMENTS:  # without a threshold psycopg prepares nothing, asked or not; with this one, only what is asked
    DATABASES["default"]["OPTIONS"]["prepare_threshold"] = 2**31
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- sandbox or providers --------------------------------------------------------------------------------------------
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", "")
EMAIL_URL = env.str("EMAIL_URL", "")
SANDBOX = not (TWILIO_ACCOUNT_SID and EMAIL_URL)
if PRODUCTION and SANDBOX:
    raise ImproperlyConfigured("TWILIO_ACCOUNT_SID and EMAIL_URL must be set in production: there is no sandbox there")
SANDBOX_TWILIO_PORT = env.int("SANDBOX_TWILIO_PORT", 8010)
SANDBOX_SMTP_PORT = env.int("SANDBOX_SMTP_PORT", 8025)
SANDBOX_FCM_PORT = env.int("SANDBOX_FCM_PORT", 8011)

# --- SMS -------------------------------------------------------------------------------------------------------------
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", "")
TWILIO_BASE_URL = env.str("TWILIO_BASE_URL", "")  # empty: Twilio itself
SMS_FROM = _required_in_production("SMS_FROM", "+3197005555555")
if not TWILIO_ACCOUNT_SID:
    TWILIO_ACCOUNT_SID = "AC" + "0" * 32
    TWILIO_AUTH_TOKEN = TWILIO_AUTH_TOKEN or derived_secret("sandbox-twilio")
    TWILIO_BASE_URL = TWILIO_BASE_URL or f"http://127.0.0.1:{SANDBOX_TWILIO_PORT}"
if not TWILIO_AUTH_TOKEN:
    raise ImproperlyConfigured("TWILIO_AUTH_TOKEN must be set: without it anybody could forge a message")

# A second provider that steps in when the first is down: a class by its path (`notifications.channels.sms_http.HttpSms` is
# one), what it needs, and its own number. Empty: none.
SMS_SECOND = env.str("SMS_SECOND", "")
SMS_SECOND_URL = env.str("SMS_SECOND_URL", "")
SMS_SECOND_TOKEN = env.str("SMS_SECOND_TOKEN", "")
SMS_SECOND_FROM = env.str("SMS_SECOND_FROM", SMS_FROM)
if SMS_SECOND and not (SMS_SECOND_URL and SMS_SECOND_TOKEN):
    raise ImproperlyConfigured("SMS_SECOND needs SMS_SECOND_URL and SMS_SECOND_TOKEN")

# --- mail ------------------------------------------------------------------------------------------------------------
# EMAIL_URL: smtp://user:password@host:port, submission://… (STARTTLS), smtps://… or anymail+postmark:// (any of Anymail's).
MAIL_DOMAIN = _required_in_production("MAIL_DOMAIN", "vragen.vonkmobiel.example").lower()
MAIL_FROM_NAME = env.str("MAIL_FROM_NAME", "CEO-app")
DEFAULT_FROM_EMAIL = f"{MAIL_FROM_NAME} <app@{MAIL_DOMAIN}>"
MAIL_IN_HOST = env.str("MAIL_IN_HOST", "127.0.0.1")
MAIL_IN_PORT = env.int("MAIL_IN_PORT", 8026)
# A certificate (PEM, with its chain) makes the listener offer STARTTLS; required, it takes nothing without.
MAIL_IN_TLS_CERT = env.str("MAIL_IN_TLS_CERT", "")
MAIL_IN_TLS_KEY = env.str("MAIL_IN_TLS_KEY", "")
MAIL_IN_TLS_REQUIRED = env.bool("MAIL_IN_TLS_REQUIRED", False)
for _name, _path in (("MAIL_IN_TLS_CERT", MAIL_IN_TLS_CERT), ("MAIL_IN_TLS_KEY", MAIL_IN_TLS_KEY)):
    if _path and not Path(_path).is_file():
        raise ImproperlyConfigured(f"{_name} must name a file that exists")
if MAIL_IN_TLS_REQUIRED and not MAIL_IN_TLS_CERT:
    raise ImproperlyConfigured("MAIL_IN_TLS_REQUIRED needs MAIL_IN_TLS_CERT")
# What one address may do to the listener; beyond it is told to come back later. A provider's server sends for everybody.
MAIL_IN_PER_MINUTE = env.int("MAIL_IN_PER_MINUTE", 300)
MAIL_IN_CONNECTIONS = env.int("MAIL_IN_CONNECTIONS", 20)
# Whether a mail that names a colleague in its From alone is believed: strict (only with a proof, else they are
# asked), observe (the verdict is noted, nothing waits) or off. The sandbox's mailboxes sign nothing.
MAIL_IN_AUTHENTICATION = env.str("MAIL_IN_AUTHENTICATION", "off" if SANDBOX else "strict") or "strict"
if MAIL_IN_AUTHENTICATION not in {"strict", "observe", "off"}:
    raise ImproperlyConfigured("MAIL_IN_AUTHENTICATION must be strict, observe or off")
# A gateway in front that checks mail: the name in its Authentication-Results, and the networks it comes from.
MAIL_TRUSTED_AUTHSERV = env.str("MAIL_TRUSTED_AUTHSERV", "").strip().lower()
MAIL_GATEWAYS = [one.strip() for one in env.str("MAIL_GATEWAYS", "").split(",") if one.strip()]
try:
    [ip_network(_network) for _network in MAIL_GATEWAYS]
except ValueError as _error:
    raise ImproperlyConfigured(f"MAIL_GATEWAYS must be networks like 10.0.0.0/24: {_error}") from _error
# Whom to ask for other domains' records: "10.0.0.2:53"; empty: the machine's own resolvers.
MAIL_DNS_SERVERS = [one.strip() for one in env.str("MAIL_DNS_SERVERS", "").split(",") if one.strip()]
if any(not re.fullmatch(r"[0-9.]+:\d+", _server) for _server in MAIL_DNS_SERVERS):
    raise ImproperlyConfigured("MAIL_DNS_SERVERS must look like 10.0.0.2:53")
ANYMAIL_WEBHOOK_SECRET = env.str("ANYMAIL_WEBHOOK_SECRET", "")
_anymail: dict[str, str] = env.dict("ANYMAIL_SETTINGS", {})
ANYMAIL: dict[str, Any] = {key.removeprefix("ANYMAIL_"): value for key, value in _anymail.items()}
ANYMAIL["WEBHOOK_SECRET"] = ANYMAIL_WEBHOOK_SECRET or f"sandbox:{derived_secret('anymail')}"
# Whose calls are taken under /webhooks/anymail/…: Anymail's names, e.g. "postmark,amazon_ses". Others find nothing there.
_sends = EMAIL_URL.removeprefix("anymail+").split(":")[0] if EMAIL_URL.startswith("anymail+") else ""
MAIL_WEBHOOKS = [name.strip() for name in env.str("MAIL_WEBHOOKS", _sends).split(",") if name.strip()]
if SANDBOX and not MAIL_WEBHOOKS:
    MAIL_WEBHOOKS = ["postmark"]
if PRODUCTION and MAIL_WEBHOOKS and not re.fullmatch(r"[^:\s]+:\S{16,}", ANYMAIL_WEBHOOK_SECRET):
    raise ImproperlyConfigured(
        "ANYMAIL_WEBHOOK_SECRET must be user:password of 16 or more: else anybody could forge a mail"
    )
if PRODUCTION and "mailgun" in MAIL_WEBHOOKS and not {"MAILGUN_WEBHOOK_SIGNING_KEY", "MAILGUN_API_KEY"} & set(ANYMAIL):
    raise ImproperlyConfigured("ANYMAIL_SETTINGS must hold MAILGUN_WEBHOOK_SIGNING_KEY")
EMAIL_TIMEOUT = 10
if EMAIL_URL.startswith("anymail+"):
    _provider = EMAIL_URL.removeprefix("anymail+").split("://")[0]
    EMAIL_BACKEND = f"anymail.backends.{_provider}.EmailBackend"
else:
    _mail = env.dj_email_url("EMAIL_URL", EMAIL_URL or f"smtp://127.0.0.1:{SANDBOX_SMTP_PORT}")
    if "EMAIL_BACKEND" not in _mail:
        raise ImproperlyConfigured("EMAIL_URL must begin with smtp, smtps, submission or anymail+PROVIDER")
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail["EMAIL_USE_TLS"], _mail["EMAIL_USE_SSL"]

# --- attachments -----------------------------------------------------------------------------------------------------
# On the local disk, which web and workers must share, or in an S3 bucket; boto3 reads AWS's own variables for its keys.
ATTACHMENTS_BUCKET = env.str("ATTACHMENTS_BUCKET", "")
if ATTACHMENTS_BUCKET:
    _attachments = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ATTACHMENTS_BUCKET,
            "endpoint_url": env.str("ATTACHMENTS_ENDPOINT_URL", "") or None,  # another maker's S3
            "region_name": env.str("ATTACHMENTS_REGION", "") or None,
            "querystring_expire": 60,  # seconds that an address opens a file
        },
    }
else:
    _attachments = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": VAR_DIR / "files"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": VAR_DIR / "files"}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": _attachments,
}
# A virus scanner that speaks clamd's protocol: "clamav:3310". Empty: pictures are only drawn anew.
_scanner = env.str("VIRUS_SCANNER", "")
VIRUS_SCANNER = (_scanner.rpartition(":")[0], int(_scanner.rpartition(":")[2])) if _scanner else None
# A larger request is refused before it is read: the most that any part takes (a photo at the till) and its envelope.
UPLOAD_BYTES_MAX = 13_000_000
FILE_UPLOAD_HANDLERS = ["backend.uploads.Bounded", "django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# --- push ------------------------------------------------------------------------------------------------------------
# Firebase's service account as a file (Google's own variable) or as its JSON. Without either nothing is pushed and
# everybody stays on SMS and mail; only the sandbox pushes without an account, to its look-alike.
GOOGLE_APPLICATION_CREDENTIALS = env.str("GOOGLE_APPLICATION_CREDENTIALS", "")
if GOOGLE_APPLICATION_CREDENTIALS and not Path(GOOGLE_APPLICATION_CREDENTIALS).is_file():
    raise ImproperlyConfigured("GOOGLE_APPLICATION_CREDENTIALS must name a file that exists")
try:
    FIREBASE_CREDENTIALS: dict[str, Any] | None = json.loads(env.str("FIREBASE_CREDENTIALS", "") or "null")
except ValueError as _error:
    raise ImproperlyConfigured("FIREBASE_CREDENTIALS must be the JSON of a service account") from _error
if FIREBASE_CREDENTIALS is not None and not (
    isinstance(FIREBASE_CREDENTIALS, dict) and "project_id" in FIREBASE_CREDENTIALS
):
    raise ImproperlyConfigured("FIREBASE_CREDENTIALS must be the JSON of a service account, with its project_id")
FIREBASE_IS_REAL = bool(GOOGLE_APPLICATION_CREDENTIALS or FIREBASE_CREDENTIALS)
FCM_BASE_URL = env.str("FCM_BASE_URL", "").rstrip("/")  # empty: Firebase itself
if SANDBOX and not FIREBASE_IS_REAL:
    FCM_BASE_URL = FCM_BASE_URL or f"http://127.0.0.1:{SANDBOX_FCM_PORT}"
if PRODUCTION and FCM_BASE_URL and not FIREBASE_IS_REAL:
    raise ImproperlyConfigured("FCM_BASE_URL needs GOOGLE_APPLICATION_CREDENTIALS or FIREBASE_CREDENTIALS in production")
PUSH = FIREBASE_IS_REAL or bool(FCM_BASE_URL)

# --- how the queue of deliveries behaves -----------------------------------------------------------------------------
# The lease must outlast the provider's time-outs together: while it runs nobody else touches the row.
DELIVERY_LEASE_SECONDS = env.int("DELIVERY_LEASE_SECONDS", 60)
# How long an SMS of unknown outcome may still turn up in the provider's list before it is sent again.
DELIVERY_UNKNOWN_SECONDS = env.int("DELIVERY_UNKNOWN_SECONDS", 30)
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 5.0)
# How often every process says that it lives; four times as long without a word is a standstill.
PULSE_SECONDS = env.float("PULSE_SECONDS", 15.0)
# Who hears by mail that a part stands still; empty: only the log does.
OPERATOR_EMAIL = env.str("OPERATOR_EMAIL", "")

# --- when people are left in peace, and what SMS may cost ------------------------------------------------------------
# What is not urgent waits until the end of these hours, in each person's own zone; they may choose others. Empty: none. The
# sandbox has none, so that whoever tries it at night sees its messages.
QUIET_HOURS = env.str("QUIET_HOURS", "" if SANDBOX else "21:00-07:30")
if QUIET_HOURS and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", QUIET_HOURS):
    raise ImproperlyConfigured(f"QUIET_HOURS must look like 21:00-07:30, not {QUIET_HOURS!r}")
# In segments; 0: no limit. The reserve is a part of the month's total that only mandatory messages may use.
SMS_SEGMENTS_PERSON_DAY = env.int("SMS_SEGMENTS_PERSON_DAY", 40)
SMS_SEGMENTS_PERSON_MONTH = env.int("SMS_SEGMENTS_PERSON_MONTH", 400)
SMS_SEGMENTS_MONTH = env.int("SMS_SEGMENTS_MONTH", 0)
SMS_RESERVE_PERCENT = env.int("SMS_RESERVE_PERCENT", 20)
SMS_ALERT_PERCENT = env.int("SMS_ALERT_PERCENT", 80)
if not (0 <= SMS_RESERVE_PERCENT <= 100 and 1 <= SMS_ALERT_PERCENT <= 100):
    raise ImproperlyConfigured("SMS_RESERVE_PERCENT and SMS_ALERT_PERCENT are percentages")

# --- Celery: the doorbell --------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5.0, "socket_connect_timeout": 0.2, "health_check_interval": 10}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # a lost ring is found by the sweep; a repeated one would only cost work
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_TIMEZONE = "UTC"

# --- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "ninja",
    "anymail",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "backend",
    "notifications",
    "people",
    "rewards",
    "questions",
    *(["sandbox"] if SANDBOX else []),
]
MIDDLEWARE = [
    "backend.request_ids.Middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "backend.edge.Middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "backend.busy.Middleware",
]
ROOT_URLCONF = "backend.urls"
WSGI_APPLICATION = "backend.wsgi.application"
APPEND_SLASH = False
# Web pages that may call the API from a browser: https://app.example, separated by commas.
CORS_ORIGINS: frozenset[str] = frozenset(env.list("CORS_ORIGINS", []))
# How much one caller may ask of one process of the web server; 0: as much as they like. A till's key is a whole shop's.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", 600)
TILL_REQUESTS_PER_MINUTE = env.int("TILL_REQUESTS_PER_MINUTE", 6000)
DATA_UPLOAD_MAX_MEMORY_SIZE = 26_214_400  # 25 MB: the largest mail a webhook may carry
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "backend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.2},
    }
}
LANGUAGE_CODE = "nl"
LANGUAGES = [("nl", "Nederlands"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "backend" / "locale"]
TIME_ZONE = "Europe/Amsterdam"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
if not PRODUCTION:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # stays empty: files are found where they lie
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION  # a file that is edited is served as it is now

# --- people and sign-in ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "people.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "people.signin.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "phone"}
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 300
ACCOUNT_SIGNUP_FIELDS = ["email*", "phone*"]  # the adapter keeps sign-up closed
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True  # the adapter does as much work as for a known one, and sends nothing
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_PREVENT_ENUMERATION = True
# How many codes may be asked for: in a minute and a day by one network address (a whole office may share one) and for one
# number or mail address; and how many go to one person, whichever way.
_codes_ip_day = env.int("SIGN_IN_CODES_IP_DAY", 500)
_codes_person_day = env.int("SIGN_IN_CODES_PERSON_DAY", 15)
if min(_codes_ip_day, _codes_person_day) < 1:
    raise ImproperlyConfigured("SIGN_IN_CODES_IP_DAY and SIGN_IN_CODES_PERSON_DAY must be 1 or more")
ACCOUNT_RATE_LIMITS = {
    "request_login_code": f"30/m/ip,{_codes_ip_day}/d/ip,3/m/key,{_codes_person_day}/d/key",
    "code_to_person": f"5/m/key,{_codes_person_day}/d/key",
}
# Where our people's numbers are, as ISO codes: no code goes by SMS to other countries. Empty: anywhere.
SMS_CODE_COUNTRIES: list[str] = [code for code in env.list("SMS_CODE_COUNTRIES", ["NL"]) if code]
if not all(re.fullmatch(r"[A-Z]{2}", code) for code in SMS_CODE_COUNTRIES):
    raise ImproperlyConfigured("SMS_CODE_COUNTRIES must be ISO codes of countries: NL,BE")
HEADLESS_CLIENTS = ("app",)
HEADLESS_FRONTEND_URLS = {"account_signup": PUBLIC_BASE_URL}  # demanded for a mail that is never sent
HEADLESS_TOKEN_STRATEGY = "people.signin.OwnTokens"  # noqa: S105 — a class, not a secret
SESSION_ENGINE = "people.browser_sessions"
SESSION_SECRET = derived_secret("sessions")
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
# Single sign-on at the company's OIDC provider; without an issuer there is none. The app is a client of its own there.
OIDC_ISSUER = env.str("OIDC_ISSUER", "")
OIDC_NAME = env.str("OIDC_NAME", "") or "Single sign-on"
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
OIDC_APP_CLIENT_ID = env.str("OIDC_APP_CLIENT_ID", "") or OIDC_CLIENT_ID
# What of its tokens says who that is in HR's file: email (which it must have verified), or a claim with HR's number.
OIDC_PERSON_CLAIM = env.str("OIDC_PERSON_CLAIM", "") or "email"
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
if OIDC_ISSUER and urlsplit(OIDC_ISSUER).scheme not in ({"https"} if PRODUCTION else {"https", "http"}):
    raise ImproperlyConfigured("OIDC_ISSUER must be an https address")
# Step-up: giving away more credits than this at once, or anything at all so many days after the last proof, asks for a
# fresh proof, which holds so many minutes. 0: never.
STEP_UP_CREDITS = env.int("STEP_UP_CREDITS", 100)
STEP_UP_DAYS = env.int("STEP_UP_DAYS", 30)
STEP_UP_MINUTES = env.int("STEP_UP_MINUTES", 10)
if min(STEP_UP_CREDITS, STEP_UP_DAYS) < 0 or STEP_UP_MINUTES < 1:
    raise ImproperlyConfigured("STEP_UP_CREDITS and STEP_UP_DAYS must be 0 or more, STEP_UP_MINUTES 1 or more")
# Speed and ratings of single people in the choice of an expert: only with the works council's consent.
PERSONAL_SCORES = env.bool("PERSONAL_SCORES", False)
# Whose national holidays are off for everybody who works Monday to Friday; empty for none.
HOLIDAYS_COUNTRY = env.str("HOLIDAYS_COUNTRY", "NL")

# --- the app ---------------------------------------------------------------------------------------------------------
IOS_MINIMUM_VERSION = env.str("IOS_MINIMUM_VERSION", "")
ANDROID_MINIMUM_VERSION = env.str("ANDROID_MINIMUM_VERSION", "")
for _version in (IOS_MINIMUM_VERSION, ANDROID_MINIMUM_VERSION):
    if not re.fullmatch(r"(\d{1,4}(\.\d{1,4}){0,2})?", _version):  # an app that cannot read it would lock everybody out
        raise ImproperlyConfigured(f"{_version!r} is not a version like 1.4.2")
# Whose links open in the app: TEAMID.bundle.id of iOS, and package and certificates' SHA-256 fingerprints of Android.
IOS_APP_IDS: list[str] = env.list("IOS_APP_IDS", [])
ANDROID_PACKAGE = env.str("ANDROID_PACKAGE", "")
ANDROID_CERTIFICATES: list[str] = env.list("ANDROID_CERTIFICATES", [])

ACCESS_TOKEN_DAYS = env.int("ACCESS_TOKEN_DAYS", 90)

UNFOLD = {
    "SITE_TITLE": "CEO-app",
    "SITE_HEADER": "CEO-app",
    "SITE_SYMBOL": "forum",
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "backend.admin.dashboard",
    "SIDEBAR": {"navigation": "backend.admin.menu"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(name)s %(message)s"}},
    "filters": {
        "secrets": {"()": "backend.log_lines.HideSecrets"},
        "request": {"()": "backend.log_lines.NameRequest"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secrets", "request"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {"django.security.DisallowedHost": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
