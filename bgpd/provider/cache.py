"""What providers said last, as the bytes of a file: for a start while none of them answers.

The file holds passwords: whoever writes it makes it readable for its own user alone. What a later
version wrote otherwise is left out entry by entry.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from bgpd.model.provider import Discovery, ProviderChoice, ProviderPeer

FILE_NAME: Final = "provider.json"
VERSION: Final = 1


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood of one BGPPeer's provider."""

    choice: ProviderChoice
    """Of the BGPPeer then: another choice is another provider."""
    peers: tuple[ProviderPeer, ...]
    fetched: float | None = None
    """Wall clock of the document, seconds since the epoch."""

    @property
    def discovery(self) -> Discovery:
        """The same, as it was found."""
        return Discovery(peers=self.peers, known=True, fetched=self.fetched)


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    origin: str
    providers: dict[str, msgspec.Raw] = {}


def encode(kept: Mapping[str, Kept], *, origin: str) -> bytes:
    """Return the file for what is *kept*, by BGPPeer; *origin* says whose it is."""
    providers = {name: msgspec.Raw(msgspec.json.encode(one)) for name, one in kept.items()}
    return msgspec.json.encode(_File(version=VERSION, origin=origin, providers=providers))


def decode(content: bytes, *, origin: str) -> tuple[dict[str, Kept], tuple[str, ...]]:
    """Return what the file *content* holds, and a sentence for each part that is of no use."""
    try:
        file = msgspec.json.decode(content, type=_File)
    except (ValueError, RecursionError) as error:
        return {}, (f"ignored: {error}",)
    if file.version != VERSION or file.origin != origin:
        return {}, (f"ignored: is of version {file.version} and of {file.origin}",)
    found: dict[str, Kept] = {}
    problems: list[str] = []
    for name, raw in file.providers.items():
        try:
            found[name] = msgspec.json.decode(raw, type=Kept)
        except (ValueError, RecursionError) as error:
            problems.append(f"BGPPeer {name}: ignored: {error}")
    return found, tuple(problems)
