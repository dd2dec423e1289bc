"""One look at a provider: which places are asked, with what, and what becomes of the answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bgpd.model.errors import BgpdError, ConfigError, TransientError
from bgpd.model.provider import ProviderChoice, ProviderKind
from bgpd.provider.adapter import Asker
from bgpd.provider.course import Failure
from bgpd.provider.look import asks_elsewhere, look
from tests.provider import metadata
from tests.provider.metadata import serving
from tests.provider.sample import Sample
from tests.provider.table import SAMPLES


def sample(name: str) -> Sample:
    """Return the sample *name*."""
    return next(one for one in SAMPLES if one.name == name)


class Web:
    """What answers at each URL; a URL that is not here is away."""

    def __init__(self, pages: Mapping[str, object] | None = None) -> None:
        self.pages = pages or {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, url: str, *, headers: Mapping[str, str]) -> bytes:
        """Answer with the page, or raise what stands in its place."""
        self.asked.append((url, dict(headers)))
        page = self.pages.get(url, TransientError(f"{url} is away"))
        if isinstance(page, BgpdError):
            raise page
        return json.dumps(page).encode()

    @property
    def urls(self) -> list[str]:
        """The places that were asked, in order."""
        return [url for url, _ in self.asked]


def choice(kind: ProviderKind, **more: Any) -> ProviderChoice:
    """Return a choice."""
    return ProviderChoice(kind=kind, **more)


FIRST = "http://metadata.packet.net/metadata"
SECOND = "http://metadata.platformequinix.com/metadata"


def test_the_later_name_is_asked_where_the_first_is_away() -> None:
    """Packet became Equinix Metal, and its names outlived it here and there."""
    whole = sample("packet_v4_multihop_md5")
    web = Web({SECOND: whole.document})
    assert look(choice(ProviderKind.PACKET), Asker(), {}, by=web) == whole.peers
    assert web.urls == [FIRST, SECOND]


def test_who_answers_ends_the_search_also_with_nonsense() -> None:
    """A service that is there and wrong is to be mended, not passed over."""
    web = Web({FIRST: {"errors": ["Not found"]}, SECOND: {}})
    found = look(choice(ProviderKind.PACKET), Asker(), {}, by=web)
    assert isinstance(found, Failure)
    assert (found.type, found.reason) == ("ProviderDocumentRefused", "NotUnderstood")
    assert found.message.startswith(f"{FIRST}: the document: it is an error of the provider's")
    assert web.urls == [FIRST]


def test_the_last_place_that_is_away_is_named() -> None:
    """One sentence, about one place."""
    found = look(choice(ProviderKind.PACKET), Asker(), {}, by=Web())
    assert found == Failure("ProviderUnreachable", "NoAnswer", f"{SECOND} is away")


def test_what_is_no_document_is_refused() -> None:
    """Ten megabytes are nobody's sessions."""
    web = Web({FIRST: ConfigError("too much")})
    found = look(choice(ProviderKind.PACKET), Asker(), {}, by=web)
    assert found == Failure("ProviderDocumentRefused", "NotADocument", "too much")


def test_a_place_of_ones_own_is_the_only_one() -> None:
    """Who names Hegel does not mean Packet."""
    web = Web()
    look(choice(ProviderKind.PACKET, url="http://hegel:50061/metadata"), Asker(), {}, by=web)
    assert web.urls == ["http://hegel:50061/metadata"]


def test_a_site_is_part_of_the_question_where_there_is_one() -> None:
    """An API that filters by location is told it; without one all groups are asked for."""
    web = Web()
    look(choice(ProviderKind.PHOENIXNAP, site="ASH"), Asker(site="ASH"), {}, by=web)
    base = "https://api.phoenixnap.com/networks/v1/bgp-peer-groups"
    assert web.urls == [f"{base}?location=ASH", base]
    web.asked.clear()
    look(choice(ProviderKind.PHOENIXNAP), Asker(), {}, by=web)
    assert web.urls == [base]


def test_nobody_knows_where_a_server_of_cherry_is() -> None:
    """The sentence says what to set."""
    found = look(choice(ProviderKind.CHERRY), Asker(), {}, by=Web())
    assert isinstance(found, Failure)
    assert "set providerURL" in found.message


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (ProviderKind.PACKET, {"X-Auth-Token": "abc.def"}),
        (ProviderKind.CHERRY, {"Authorization": "Bearer abc.def"}),
        (ProviderKind.PHOENIXNAP, {"Authorization": "Bearer abc.def"}),
    ],
)
def test_a_token_is_sent_as_the_api_wants_it(
    tmp_path: Path, kind: ProviderKind, header: dict[str, str]
) -> None:
    """It is read anew each time, because something renews it."""
    file = tmp_path / "token"
    file.write_text("abc.def\n")
    web = Web()
    look(choice(kind, url="http://api/", token_file=str(file)), Asker(), {}, by=web)
    assert web.asked == [("http://api/", header)]
    look(choice(kind, url="http://api/"), Asker(), {}, by=web)
    assert web.asked[1] == ("http://api/", {})


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two\nlines", b"\xff", b"x" * 9000])
def test_without_its_token_nothing_is_asked(tmp_path: Path, content: bytes | None) -> None:
    """The sentence names the file and holds nothing of it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    web = Web()
    found = look(choice(ProviderKind.PACKET, token_file=str(file)), Asker(), {}, by=web)
    assert found == Failure(
        "ProviderUnreachable",
        "NoToken",
        f"spec.providerTokenFile {file} is missing, unreadable or empty; it must hold the API's"
        " token on one line",
    )
    assert web.asked == []


def test_what_is_in_the_node_or_in_a_book_is_asked_of_nobody() -> None:
    """Annotations and constants need no network."""
    web = Web()
    annotated = sample("annotations_indexed")
    document: Any = annotated.document
    assert look(choice(ProviderKind.ANNOTATIONS), Asker(), document, by=web) == annotated.peers
    assert look(choice(ProviderKind.INGENUITY), Asker(), {}, by=web)
    assert web.asked == []
    elsewhere = {kind for kind in ProviderKind if asks_elsewhere(choice(kind))}
    assert elsewhere == {
        ProviderKind.PACKET,
        ProviderKind.VULTR,
        ProviderKind.CHERRY,
        ProviderKind.PHOENIXNAP,
    }


@pytest.mark.parametrize(
    "whole",
    [one for one in SAMPLES if asks_elsewhere(choice(one.kind))],
    ids=lambda one: one.name,
)
def test_each_document_means_over_http_what_the_table_says(whole: Sample) -> None:
    """From a socket to peers, or to the sentence."""
    with serving(metadata.body(json.dumps(whole.document).encode())) as server:
        found = look(choice(whole.kind, url=server.url), whole.asker, {})
    if whole.error:
        assert found == Failure(
            "ProviderDocumentRefused", "NotUnderstood", f"{server.url}: {whole.error}"
        )
    else:
        assert found == whole.peers
