"""One look at a provider, from its choice to peers or to a sentence; it may take seconds."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, assert_never

from bgpd.model.errors import ConfigError, TransientError
from bgpd.model.provider import ProviderChoice, ProviderPeer
from bgpd.provider.adapter import Adapter, Annotated, Asker, Documented, Fetched
from bgpd.provider.adapters import ADAPTERS
from bgpd.provider.course import Failure
from bgpd.provider.fetch import fetch, shown
from bgpd.provider.reading import decode

UNREACHABLE = "ProviderUnreachable"
REFUSED = "ProviderDocumentRefused"
_LONGEST_TOKEN = 8192


class Fetch(Protocol):
    """How a document is read."""

    def __call__(self, url: str, *, headers: Mapping[str, str]) -> bytes:
        """Return what *url* answers, or raise `TransientError` or `ConfigError`."""


def asks_elsewhere(choice: ProviderChoice) -> bool:
    """Return whether a look leaves this process, so that it belongs in a thread."""
    return isinstance(ADAPTERS[choice.kind].origin, Fetched)


def look(
    choice: ProviderChoice,
    asker: Asker,
    annotations: Mapping[str, str],
    *,
    by: Fetch = fetch,
) -> tuple[ProviderPeer, ...] | Failure:
    """Return the peers that the provider offers now, or why that is not known."""
    adapter = ADAPTERS[choice.kind]
    match adapter.origin:
        case Fetched():
            return _look_at(adapter, adapter.origin, choice, asker, by)
        case Annotated():
            return _parsed(adapter, lambda: annotations, asker)
        case Documented():
            return _parsed(adapter, lambda: None, asker)
        case _:
            assert_never(adapter.origin)


def _look_at(
    adapter: Adapter, origin: Fetched, choice: ProviderChoice, asker: Asker, by: Fetch
) -> tuple[ProviderPeer, ...] | Failure:
    """Ask the places where the document may be, in order, until one of them answers."""
    failure = Failure(UNREACHABLE, "NoURL", "nobody says where its document is; set providerURL")
    try:
        headers = dict(_token(origin, choice.token_file))
    except ConfigError as error:
        return Failure(UNREACHABLE, "NoToken", str(error))
    for url in _urls(origin, choice):
        try:
            body = by(url, headers=headers)
        except TransientError as error:
            failure = Failure(UNREACHABLE, "NoAnswer", str(error))
            continue
        except ConfigError as error:
            return Failure(REFUSED, "NotADocument", str(error))
        return _parsed(adapter, partial(decode, body), asker, where=f"{shown(url)}: ")
    return failure


def _parsed(
    adapter: Adapter, document: Callable[[], object], asker: Asker, *, where: str = ""
) -> tuple[ProviderPeer, ...] | Failure:
    try:
        return adapter.parse(document(), asker)
    except ConfigError as error:
        return Failure(REFUSED, "NotUnderstood", f"{where}{error}")


def _urls(origin: Fetched, choice: ProviderChoice) -> Iterator[str]:
    if choice.url:
        yield choice.url
        return
    for url in origin.urls:
        if choice.site or "{site}" not in url:
            yield url.replace("{site}", choice.site)


def _token(origin: Fetched, path: str) -> Iterator[tuple[str, str]]:
    """Yield the header with the token in the file *path*, if one is named."""
    if not path:
        return
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not (0 < len(text) <= _LONGEST_TOKEN and text.isascii() and text.isprintable()):
        raise ConfigError(
            f"spec.providerTokenFile {path} is missing, unreadable or empty; it must hold the"
            " API's token on one line"
        )
    yield origin.header, f"{origin.scheme}{text}"
