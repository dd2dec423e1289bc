"""What is handed to a stranger holds no secret, in whatever form it stood there."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.bundlesecrets import REMOVED, Secrets, learned

CANARY = "c4n4ry-s3cret"


def _cleaned(document: Any, secrets: Secrets | None = None) -> str:
    found = secrets or learned([document])
    return json.dumps(found.clean(document))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"spec": {"password": CANARY}}, id="a BGPPeer's own password"),
        pytest.param({"peers": [{"bfd": {"password": CANARY}}]}, id="a BFD key in a list"),
        pytest.param({"passwords": {"/etc/key": CANARY}}, id="password files by path"),
        pytest.param(
            {"kind": "Secret", "stringData": {"password": CANARY}}, id="a Secret in the clear"
        ),
        pytest.param(
            {"kind": "Secret", "data": {"other": base64.b64encode(CANARY.encode()).decode()}},
            id="a Secret in base64",
        ),
        pytest.param({"httpGet": {"headers": {"X-Api": CANARY}}}, id="headers of a check, by name"),
        pytest.param({"headers": [["X-Api", CANARY]]}, id="headers as pairs"),
        pytest.param({"headers": [{"name": "X-Api", "value": CANARY}]}, id="headers as objects"),
        pytest.param(
            {"metadata": {"annotations": {"example.org/bgp-peers-0-bgp-pass": CANARY}}},
            id="a provider's annotation",
        ),
        pytest.param({"spec": {"providerURL": f"http://me:{CANARY}@h/x"}}, id="an URL's password"),
        pytest.param({"url": f"http://h/x?token={CANARY}"}, id="an URL's query"),
        pytest.param({"command": ["check", f"--password={CANARY}"]}, id="a program's argument"),
        pytest.param({"users": [{"user": {"client-key-data": CANARY}}]}, id="a kubeconfig's key"),
        pytest.param({"user": {"token": CANARY}}, id="a kubeconfig's token"),
        pytest.param(
            {
                "kind": "BGPPeer",
                "metadata": {
                    "annotations": {
                        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
                            {"spec": {"password": CANARY}}
                        )
                    }
                },
            },
            id="what kubectl applied last",
        ),
        pytest.param({"message": f"Authorization: Bearer {CANARY}"}, id="a bearer in a sentence"),
    ],
)
def test_a_secret_goes_from_wherever_it_stands(document: Any) -> None:
    """Neither the field nor any other text has it, in the clear or in base64."""
    text = _cleaned(document)
    assert CANARY not in text
    assert base64.b64encode(CANARY.encode()).decode().rstrip("=") not in text


FORMS = [
    CANARY,
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(f"{CANARY}\n".encode()).decode(),
    CANARY.encode().hex(),
    f"x{CANARY}y",
]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_known_goes_from_any_text(form: str) -> None:
    """A log line, an error of a router, a key of a mapping."""
    secrets = learned([{"password": CANARY}])
    assert form not in secrets.clean_text(f"before {form} after")
    assert form not in _cleaned({form: [{"message": f"said {form}!"}]}, secrets)
    assert not secrets.left_in(secrets.clean_text(f"before {form} after"))


@given(st.text(min_size=3).filter(lambda text: len(text.strip()) >= 3), st.text(), st.text())
def test_no_password_survives(password: str, before: str, after: str) -> None:
    """Whatever it is made of, and whatever stands around it."""
    secrets = learned([{"password": password}])
    quoted = quote(password.encode("utf-8", "replace"), safe="")
    for form in (password, quoted):
        cleaned = secrets.clean_text(f"{before}{form}{after}")
        # What stands for a secret may make up another word with what is beside it.
        assert password not in cleaned.replace(REMOVED, "\0\0\0")
        inside = secrets.clean([{"message": f"{before}{form}{after}"}])
        assert inside == [{"message": cleaned}]


def test_a_document_without_secrets_stays_as_it_is() -> None:
    """Whoever reads the bundle needs the rest: names, counts, sentences."""
    document = {
        "kind": "BGPPeer",
        "metadata": {"name": "tor-a", "labels": {"key": "value"}},
        "spec": {
            "peerASN": 65530,
            "passwordSecret": {"name": "tor-keys"},
            "passwordFile": "/etc/bgpd/tor.key",
            "tokenFile": "/var/run/token",
            "matchExpressions": [{"key": "rack", "operator": "In", "values": ["a"]}],
            "ebgpMultiHop": True,
            "rate": 0.5,
            "nothing": None,
        },
        "message": "the session with tor-a went down: the hold timer expired",
    }
    assert learned([document]).clean(document) == document


def test_a_short_password_is_removed_from_its_field_only() -> None:
    """Two letters everywhere would leave no text; three are removed, whatever that costs."""
    document = {"password": "ab", "message": "about"}
    assert json.loads(_cleaned(document)) == {"password": REMOVED, "message": "about"}
    document = {"password": "abo", "message": "about"}
    assert json.loads(_cleaned(document)) == {"password": REMOVED, "message": f"{REMOVED}ut"}


def test_a_number_that_is_a_password_goes_too() -> None:
    """YAML makes a number of one that has no quotes."""
    document = {"password": 123456, "port": 123456, "message": "123456"}
    assert "123456" not in _cleaned(document)


def test_the_namespace_beside_a_token_is_no_secret() -> None:
    """Or `default` would vanish from every document."""
    token = {"kind": "Secret", "data": {"namespace": "ZGVmYXVsdA==", "token": "c2VjcmV0LXRva2Vu"}}
    secrets = learned([token])
    assert secrets.clean_text("default has secret-token") == f"default has {REMOVED}"


def test_a_private_key_goes_as_a_whole() -> None:
    """By its looks alone: nobody has to know it."""
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----"
    assert Secrets().clean_text(f"a {key} b") == f"a {REMOVED} b"


def test_the_keys_of_exabgps_configuration_are_known() -> None:
    """They are in base64 there, and in the clear in nobody's file."""
    secrets = Secrets()
    word = base64.b64encode(CANARY.encode()).decode()
    secrets.learn_configuration(f"neighbor 192.0.2.1 {{\n md5-password {word};\n}}")
    assert secrets.clean_text(f"{CANARY} {word};") == f"{REMOVED} {REMOVED};"
