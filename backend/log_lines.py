"""What must not stand in a log: the addresses of pages whose address is the key, and tills' keys."""

import logging
import re

SECRETS = re.compile(r"(/[gqau]/|till_)[\w:-]{16,}")


class HideSecrets(logging.Filter):
    """Django logs the path of every refused request; here only the kind of page is left of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = SECRETS.sub(r"\1…", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True
