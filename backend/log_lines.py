"""What stands in each line of the log: the request's name. And what must not: the addresses of pages whose address is the
key, and tills' keys."""

import logging
import re

from backend import request_ids

SECRETS = re.compile(r"(/[gqau]/|till_)[\w:-]{16,}")


class NameRequest(logging.Filter):
    """Each line says during which request it was written, `-` outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_ids.current.get()
        return True


class HideSecrets(logging.Filter):
    """Django logs the path of every refused request; here only the kind of page is left of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = SECRETS.sub(r"\1…", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True
