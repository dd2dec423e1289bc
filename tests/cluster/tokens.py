"""Make a token that lives shorter than the API server would grant: we hold its signing key."""

import base64
import json
import time
from pathlib import Path
from typing import Any, Final

from tests.cluster.certificates import sign

LEAST_SECONDS: Final = 600
"""The shortest life that a TokenRequest may ask for."""


def claims(token: str) -> dict[str, Any]:
    """Return what *token* (a JSON Web Token) says, unverified."""
    decoded: dict[str, Any] = json.loads(_decode(token.split(".")[1]))
    return decoded


def shortened(token: str, seconds: int, key: Path) -> str:
    """Return *token* signed anew by *key*, with *seconds* to live; negative ones are over."""
    header = token.split(".", maxsplit=1)[0]
    ends = int(time.time()) + seconds
    begins = min(int(time.time()), ends) - LEAST_SECONDS
    said = {**claims(token), "exp": ends, "iat": begins, "nbf": begins}
    message = f"{header}.{_encode(json.dumps(said).encode())}"
    return f"{message}.{_encode(sign(key, message.encode()))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
