"""Take secrets out of what is handed to a stranger: by where they stand, and by what they are.

First everything is read and *learned* from: what stands in a field that holds a password, a token
or a key is a secret, wherever else it appears, in whatever form. Then everything is *cleaned*: such
fields lose their value, known secrets are replaced in every text, and what looks like one is, too.
Nothing here reads or writes.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

REMOVED: Final = "<removed>"
SHORTEST: Final = 3
"""Characters; what is shorter is removed from its field only, or no text would be left."""
SHORTEST_GUESS: Final = 8
"""The same for what only may be a secret: a header's value, part of an URL."""
_FIELDS: Final = re.compile(
    r"(pass|passwd|password|passphrase|token|secret|apikey|authorization|credentials?|privatekey"
    r"|keydata|clientkey|md5key|meshkey)$"
)
"""How the name of a field ends that holds a secret, in small letters without punctuation."""
_NAMES: Final = frozenset({"passwordsecret", "imagepullsecret"})
"""Fields that only name an object."""
_WHOLE: Final = frozenset({"passwords", "headers"})
"""Fields below which every value may be one."""
_SECRET_FIELDS: Final = ("data", "stringData")
_PUBLIC: Final = frozenset({"namespace", "ca.crt", "service-ca.crt"})
"""What a Secret of a ServiceAccount holds beside its token."""
_NOISE: Final = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration")
"""What repeats a document inside it."""
_URLS: Final = re.compile(r"url$", re.IGNORECASE)
_LOOKS: Final = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"()(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
        r"()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",
        r"(?i)\b((?:bearer|basic) +)([\w.~+/=-]{8,})",
        r"(://[^/\s@\"':]+:)([^/\s@\"']+)(?=@)",
        r"(?i)((?:pass|passwd|password|token|secret|api[-_]?key)=)([^\s\"'&,;]+)",
        r"(md5-password +)([^\s;]+)",
    )
)
"""What is a secret by its looks, wherever it stands, after what tells it."""


class Secrets:
    """What was learned."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def __len__(self) -> int:
        """Return how many secrets are known."""
        return len(self._values)

    def add(self, value: str, *, shortest: int = SHORTEST) -> None:
        """Learn *value*, and what it stands for if it is base64."""
        for one in (value, value.strip(), *_decoded(value)):
            if len(one.strip()) >= shortest:
                self._values.add(one)
        self._pattern = None

    def add_text(self, text: str) -> None:
        """Learn every line of *text*, the content of a file that is a secret."""
        for line in text.splitlines():
            self.add(line.strip())

    def learn(self, document: object) -> None:
        """Learn from the fields of *document* that hold secrets."""
        for value, sure in _held(document):
            self.add(value, shortest=SHORTEST if sure else SHORTEST_GUESS)

    def learn_configuration(self, text: str) -> None:
        """Learn the keys in ExaBGP's configuration."""
        for word in re.findall(r"md5-password\s+\"?([^\s;\"]+)", text):
            self.add(word)

    def clean(self, document: object) -> object:
        """Return *document* without secrets."""
        return self._cleaned(document, secret=False)

    def clean_text(self, text: str) -> str:
        """Return *text* without secrets."""
        pattern = self._all()
        if pattern is not None:
            text = pattern.sub(REMOVED, text)
        for looks in _LOOKS:
            text = looks.sub(rf"\1{REMOVED}", text)
        return text

    def left_in(self, text: str) -> bool:
        """Return whether *text* still holds a secret that is known."""
        pattern = self._all()
        return pattern is not None and pattern.search(text) is not None

    def _all(self) -> re.Pattern[str] | None:
        if self._pattern is None and self._values:
            forms = {form for value in self._values for form in _forms(value)}
            # The longest first: it may contain another one.
            words = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, words)))
        return self._pattern

    def _cleaned(self, value: object, *, secret: bool) -> object:
        match value:
            case dict():
                return {
                    self.clean_text(str(key)): self._cleaned(inner, secret=secret or is_secret)
                    for key, inner, is_secret in _fields(value)
                }
            case list() | tuple():
                return [self._cleaned(inner, secret=secret) for inner in value]
            case str():
                return REMOVED if secret and value else self.clean_text(value)
            case bool() | None:
                return value
            case int() | float():
                return REMOVED if secret or str(value) in self._values else value
            case _:
                return REMOVED if secret else self.clean_text(str(value))


def _fields(document: Mapping[Any, Any]) -> Iterator[tuple[Any, Any, bool]]:
    """Yield the fields of *document* that are kept, and whether they hold a secret."""
    is_kept_secret = document.get("kind") == "Secret"
    for key, value in document.items():
        if key in _NOISE:
            continue
        name = _plain(key)
        secret = (is_kept_secret and key in _SECRET_FIELDS) or name in _WHOLE or _is_field(name)
        if not secret and isinstance(value, str) and _URLS.search(str(key)):
            yield key, _bare(value), False
            continue
        yield key, value, secret


def _is_field(name: str) -> bool:
    return name not in _NAMES and _FIELDS.search(name) is not None


def _plain(key: object) -> str:
    """Return what the last part of a key is called, as `example.org/bgp-pass` is bgppass."""
    return re.sub(r"[^a-z0-9]", "", str(key).rpartition("/")[2].lower())


def _held(document: object) -> Iterator[tuple[str, bool]]:
    """Yield every value of a field that holds a secret, and whether it surely is one."""
    if isinstance(document, str):
        yield from ((match[2], False) for looks in _LOOKS for match in looks.finditer(document))
    if isinstance(document, list | tuple):
        for one in document:
            yield from _held(one)
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        name = _plain(key)
        if document.get("kind") == "Secret" and key in _SECRET_FIELDS:
            yield from _held_in_secret(value)
        elif name == "headers":
            yield from ((text, False) for text in _values(value))
        elif name in _WHOLE or _is_field(name):
            yield from ((text, True) for text in _leaves(value))
        elif isinstance(value, str) and _URLS.search(str(key)):
            yield from ((text, False) for text in _parts(value))
        else:
            yield from _held(_parsed(value) if key in _NOISE else value)


def _held_in_secret(fields: object) -> Iterator[tuple[str, bool]]:
    """Yield the values of a Secret; what it is called says whether it surely is one."""
    if isinstance(fields, dict):
        for key, value in fields.items():
            if isinstance(value, str) and key not in _PUBLIC:
                yield value, _is_field(_plain(key))


def _parsed(value: object) -> object:
    """Return the document in *value*, which may be one as text."""
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except ValueError:
        return None
    return found


def _leaves(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list() | tuple():
            for inner in value:
                yield from _leaves(inner)
        case int() if not isinstance(value, bool):
            yield str(value)
        case _:
            return


def _values(headers: object) -> Iterator[str]:
    """Yield the values of HTTP headers: of pairs, of a mapping, or of `name` and `value`."""
    match headers:
        case {"value": str(value)}:
            yield value
        case dict():
            yield from _leaves(headers)
        case [str(), str(value)]:
            yield value
        case list() | tuple():
            for one in headers:
                yield from _values(one)
        case _:
            return


def _parts(url: str) -> Iterator[str]:
    """Yield what an URL may hold that nobody else should know."""
    try:
        split = urlsplit(url)
    except ValueError:
        return
    yield from filter(None, (split.username, split.password))
    yield from (value for _, value in parse_qsl(split.query))


def _bare(url: str) -> str:
    """Return *url* without user, password and query."""
    head, slashes, rest = url.partition("//")
    rest = rest.partition("?")[0]
    host, slash, path = rest.partition("/")
    return f"{head}{slashes}{host.rpartition('@')[2]}{slash}{path}"


def _decoded(value: str) -> Iterator[str]:
    try:
        yield base64.b64decode(value.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        return


def _forms(value: str) -> Iterator[str]:
    """Yield *value* as it may look in JSON, in an URL, in a header, in a repr."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield quote_plus(value)
    yield repr(value)[1:-1]
    for content in (value, f"{value}\n"):
        yield base64.b64encode(content.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    yield value.encode("utf-8", "surrogateescape").hex()


def learned(documents: Iterable[object]) -> Secrets:
    """Return what can be learned from *documents*."""
    secrets = Secrets()
    for one in documents:
        secrets.learn(one)
    return secrets
