"""Documents over a real socket: whatever answers, there are bytes or one sentence, in time."""

import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bgpd.model.errors import BgpdError, ConfigError, TransientError
from bgpd.provider.fetch import MOST_BYTES, fetch, shown
from tests.kube.certificates import Identity
from tests.provider import metadata
from tests.provider.metadata import Answer, body, redirect, serving, status

SOON: Final = 0.4
"""A deadline for those that never answer."""
PATIENCE: Final = 15.0
"""Far less than they would take, and far more than the deadline."""
NOTHING: Final[Mapping[str, str]] = {}


def sentence(answer: Answer, *, seconds: float = 10.0) -> str:
    """Return what is said of a server that does *answer*, with its port cut out."""
    with serving(answer) as server:
        begun = time.monotonic()
        with pytest.raises(BgpdError) as caught:
            fetch(server.url, headers=NOTHING, seconds=seconds)
        assert time.monotonic() - begun < PATIENCE
        return str(caught.value).replace(f":{server.server_port}", "")


def test_a_document_is_fetched_whole() -> None:
    """Bytes come out as they went in, whatever they mean."""
    content = bytes(range(256)) * 1000
    with serving(body(content)) as server:
        assert fetch(server.url, headers=NOTHING) == content


def test_headers_are_sent_and_the_environment_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy has no business between a server and its metadata."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(body(b"{}")) as server:
        fetch(f"{server.url}?location=ASH", headers={"X-Auth-Token": "secret"})
        path, headers = server.asked[0]
    assert path == "/metadata?location=ASH"
    assert headers["X-Auth-Token"] == "secret"
    assert headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "answer",
    [metadata.hang, metadata.hang_halfway, metadata.drip_head, metadata.drip_body],
    ids=["silent", "silent after a beginning", "a byte at a time", "a byte of the body at a time"],
)
def test_who_never_ends_is_left_at_the_deadline(answer: Answer) -> None:
    """A timeout for each read is none where each read is short."""
    said = sentence(answer, seconds=SOON)
    assert said == "http://127.0.0.1/metadata did not answer within 0.4 s"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(status(500), "answers 500 Internal Server Error", id="500"),
        pytest.param(status(404), "answers 404 Not Found", id="404"),
        pytest.param(status(599), "answers 599", id="a status of its own"),
        pytest.param(
            status(401),
            "answers 401: it wants a token, or another one; set spec.providerTokenFile",
            id="401",
        ),
        pytest.param(metadata.cut, "cannot be read: the answer is cut off", id="cut off"),
        pytest.param(metadata.cut_chunked, "cannot be read: the answer is cut off", id="a chunk"),
        pytest.param(
            metadata.slam, "cannot be read: what answers does not speak HTTP", id="a closed door"
        ),
        pytest.param(
            metadata.mutter, "cannot be read: what answers does not speak HTTP", id="not HTTP"
        ),
        pytest.param(
            metadata.pour, f"answers more than {MOST_BYTES} bytes; it must be a document", id="all"
        ),
        pytest.param(
            body(b" " * 10_000_000),
            f"answers more than {MOST_BYTES} bytes; it must be a document",
            id="10 MB",
        ),
        pytest.param(
            redirect("http://192.0.2.1/metadata"),
            "redirects to http://192.0.2.1/metadata, which is not followed; set spec.providerURL to"
            " where the document is",
            id="a redirect to another host",
        ),
        pytest.param(
            redirect("file:///etc/shadow"),
            "file:///etc/shadow cannot be asked; it must be http://HOST/PATH or https://",
            id="a redirect to a file",
        ),
        pytest.param(redirect("/metadata"), "redirects more than 3 times", id="a circle"),
    ],
)
def test_each_wrong_answer_has_its_sentence(answer: Answer, said: str) -> None:
    """A person learns what answered, and where the remedy is not plain, what it is."""
    found = sentence(answer)
    assert found in {f"http://127.0.0.1/metadata {said}", said}


def test_a_redirect_on_the_same_host_is_followed() -> None:
    """Some services send to the path with the version."""

    def answer(one: metadata.Handler) -> None:
        if one.path == "/metadata":
            redirect("/2009-04-04/metadata?x=1")(one)
        else:
            one.whole(one.path.encode())

    with serving(answer) as server:
        assert fetch(server.url, headers=NOTHING) == b"/2009-04-04/metadata?x=1"


def test_a_closed_port_is_an_answer_soon() -> None:
    """Nobody listens: that is known at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/metadata"
        with pytest.raises(TransientError, match=r"metadata cannot be read: Connection refused$"):
            fetch(url, headers=NOTHING)


def test_a_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    """TLS begins before the first header; the deadline holds there too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/metadata"
        with pytest.raises(TransientError, match=r"did not answer within 0\.4 s$"):
            fetch(url, headers=NOTHING, seconds=SOON)


def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    """The answer may hold a password, so who answers must be who was asked."""
    identity = Identity(tmp_path / "stranger")
    with serving(body(b"{}")) as server:
        server.socket = identity.server.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:")
        with pytest.raises(TransientError, match=r"its certificate is not trusted: self"):
            fetch(url, headers=NOTHING)


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "http:///x", "http://h:99999/x", "http://[::1/x", "metadata", ""]
)
def test_what_is_no_url_is_not_asked(url: str) -> None:
    """Retrying helps nothing, so the error is the configuration's."""
    with pytest.raises(ConfigError, match=r"cannot be asked; it must be http://HOST/PATH"):
        fetch(url, headers=NOTHING)


def test_a_secret_in_a_url_is_not_shown() -> None:
    """Neither a user nor a query is anybody's business."""
    assert shown("https://u:p@api.example:8443/v1/x?token=t") == "https://api.example:8443/v1/x"
    assert shown("http://[::1]:50061/metadata") == "http://[::1]:50061/metadata"


def test_nothing_is_left_behind() -> None:
    """Neither a thread nor a timer outlives a fetch, good or bad."""
    with serving(metadata.hang) as server, pytest.raises(TransientError):
        fetch(server.url, headers=NOTHING, seconds=SOON)
    with serving(body(b"{}")) as server:
        fetch(server.url, headers=NOTHING)
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
