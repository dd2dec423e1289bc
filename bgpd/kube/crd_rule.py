"""One rule about several fields of an object, as the API server is told of it in CEL."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule about several fields of one object `self`."""

    expression: str
    message: str
    path: str = ""
    """The field that the refusal names, `.holdTime`; empty for the object itself."""
    message_expression: str = ""
    """The same with the value in it; the server falls back on *message*."""
    reason: str = "FieldValueInvalid"

    def document(self) -> dict[str, Any]:
        """Return the entry of `x-kubernetes-validations`."""
        parts = {
            "rule": self.expression,
            "fieldPath": self.path,
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
        }
        return {key: value for key, value in parts.items() if value}


_DURATION: Final = "'^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$'"


def whole(text: str) -> str:
    """Return an expression that is true where *text* is a duration of whole seconds."""
    return (
        f"({text} == '0' || ({text} != '' && {text}.matches({_DURATION})"
        f" && duration({text}).getMilliseconds() % 1000 == 0))"
    )


ONE_PLACE: Final = (
    "!has(self.password) || self.password == ''"
    " || !has(self.passwordFile) || self.passwordFile == ''"
)
"""True where a key stands in the document or in a file, not in both."""

# Not by url(): the server takes what that returns for a text without an end.
URL_REST: Final = "(:[1-9][0-9]{0,4})?(/[!-~]*)?$"
"""What may follow the host of a URL, up to its end."""


def place_in(url: str) -> str:
    """Return an expression that is the host and port of the text *url*."""
    return f"{url}.split('/')[2]"


def port_in(url: str) -> str:
    """Return an expression that is true where *url*, of a name or IPv4, has a port of TCP."""
    place = place_in(url)
    return f"({place}.split(':').size() == 1 || int({place}.split(':')[1]) <= 65535)"


def url_v6(url: str) -> str:
    """Return an expression that is true where *url* is that of an IPv6 address."""
    place = place_in(url)
    return (
        rf"{url}.matches('^https?://\\[[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*\\]{URL_REST}')"
        f" && isIP({place}.substring(1, {place}.indexOf(']')))"
        f" && ({place}.endsWith(']') || int({place}.substring({place}.indexOf(']') + 2)) <= 65535)"
    )


def url_of_name(url: str) -> str:
    """Return an expression that is true where *url* is that of a name or an IPv4 address."""
    name = "[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[1-9][0-9]{0,4})?"
    return (
        f"{url}.matches('^https?://[^/]+(/[!-~]*)?$')"
        f" && {place_in(url)}.matches('^{name}$') && {port_in(url)}"
    )
