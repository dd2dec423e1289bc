"""Facts about checking documents before a roll-out."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import yaml

from tests.ctl.fakes import bgpctl, command

POOL = """
apiVersion: bgpd.io/v1alpha1
kind: IPAddressPool
metadata: {name: NAME, namespace: bgpd}
spec: {addresses: [ADDRESS]}
"""


FOREIGN = """
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs}
"""
PROVIDER = """
apiVersion: bgpd.io/v1alpha1
kind: BGPPeer
metadata: {name: packet, namespace: bgpd}
spec: {provider: packet}
"""
PREFERS = """
apiVersion: bgpd.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: o}
spec: {peers: [packet, packet-169.254.255.1, packets], med: 201}
"""
OFFER = """
apiVersion: bgpd.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: o}
spec: {ipAddressPools: [a, nowhere], peers: [nobody]}
"""


def pool(name: str, address: str) -> str:
    """Return a pool of one block."""
    return POOL.replace("NAME", name).replace("ADDRESS", address)


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), "b.yml": pool("b", "198.51.100.0/24")},
            0,
            "2 objects valid, 0 errors, 0 warnings",
            id="two good files",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/99")}, 1, '"203.0.113.0/99"', id="a bad value"
        ),
        pytest.param({"a.yaml": "a: [b"}, 1, "a.yaml", id="a file that does not parse"),
        pytest.param(
            {"a.yaml": PROVIDER}, 0, "1 object valid, 0 errors, 0 warnings", id="a provider"
        ),
        pytest.param(
            {"a.yaml": PROVIDER.replace("packet}", "linode}")},
            1,
            "spec.providerSite: is required with provider linode",
            id="a provider without its data center",
        ),
        pytest.param(
            {"a.yaml": PROVIDER, "b.yaml": PREFERS},
            1,
            "BGPAdvertisement o: spec.med 201: must be 0..200, because BGPPeer packet has the",
            id="an advertisement that no session of a provider has room for",
        ),
        pytest.param(
            {"a.yaml": PROVIDER, "b.yaml": PREFERS.replace("201", "7")},
            0,
            "2 objects valid, 0 errors, 1 warning",
            id="sessions of a provider are known by the beginning of their names",
        ),
        pytest.param(
            {
                "a.yaml": PROVIDER
                + "---"
                + PROVIDER.replace("name: packet", "name: other").replace(
                    "packet}", "vultr, myASN: 64999}"
                )
            },
            0,
            "2 objects valid, 0 errors, 0 warnings",
            id="two providers of which one has an ASN",
        ),
        pytest.param(
            {"a.yaml": PROVIDER.replace("packet}", "packet, takeover: {lever: localPref}}")},
            0,
            "1 object valid, 0 errors, 0 warnings",
            id="a provider that may be within our AS",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/99") + "---" + pool("b", "203.0.113.0/24")},
            1,
            "1 object valid, 1 error, 0 warnings",
            id="a good document beside a bad one",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), "b.yaml": pool("a", "203.0.113.0/24")},
            1,
            "b.yaml: IPAddressPool a is already in",
            id="one name in two files",
        ),
        pytest.param(
            {"a.yaml": pool("a", "203.0.113.0/24"), ".b.yaml": "no", "README": "no"},
            0,
            "1 object valid",
            id="files that the agent would not read",
        ),
    ],
)
def test_documents_are_judged_as_the_agent_would(
    tmp_path: Path, files: dict[str, str], status: int, words: str
) -> None:
    """Errors name the file and the value, and the exit status says whether there are any."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert (result.status, result.errors) == (status, "")
    assert words in result.output


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A typing error in the path does not look like success."""
    result = asyncio.run(bgpctl("validate", str(tmp_path / "missing.yaml")))
    assert result.status == 1
    assert "missing.yaml: No such file or directory" in result.output


def test_nothing_to_check_is_a_usage_error() -> None:
    """Without a path there is nothing to say."""
    assert asyncio.run(bgpctl("validate")).status == 2


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="an empty directory"),
        pytest.param({"a.yaml": FOREIGN}, id="other people's kinds alone"),
        pytest.param({"a.txt": pool("a", "203.0.113.0/24")}, id="no file that the agent reads"),
    ],
)
def test_nothing_found_is_an_error(tmp_path: Path, files: dict[str, str]) -> None:
    """A wrong directory does not look like success."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert result.status == 1
    assert "error: nothing was checked" in result.output


def test_other_peoples_kinds_are_named_beside_ours(tmp_path: Path) -> None:
    """Whoever reads only the exit status still knows that ours were found."""
    (tmp_path / "a.yaml").write_text(FOREIGN + "---" + pool("a", "203.0.113.0/24"))
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert result.status == 0
    assert "1 object valid, 0 errors, 0 warnings" in result.output
    assert f"ConfigMap theirs in {tmp_path / 'a.yaml'}" in result.errors


def test_what_cannot_be_read_is_an_error_beside_the_others(tmp_path: Path) -> None:
    """Each is named, nothing waits for ever, and what can be read is checked."""
    directory = tmp_path / "all"
    directory.mkdir()
    (directory / "a-dangling.yaml").symlink_to("nowhere.yaml")
    (directory / "b-secret.yaml").touch(mode=0)
    os.mkfifo(tmp_path / "pipe")
    (directory / "good.yaml").write_text(pool("a", "203.0.113.0/24"))
    # Without the rights of root, which reads everything.
    prefix = ("unshare", "--user") if os.geteuid() == 0 else ()
    words = ("validate", str(directory / "b-secret.yaml"), str(tmp_path / "pipe"), str(directory))
    result = asyncio.run(command((*prefix, sys.executable, "-m", "bgpd.ctl", *words)))
    assert result.status == 1
    assert "a-dangling.yaml: is a link to nowhere.yaml: No such file" in result.output
    assert "b-secret.yaml: Permission denied" in result.output
    assert "pipe: is not a regular file" in result.output
    assert "1 object valid, 4 errors" in result.output


def test_a_name_that_nothing_has_is_a_warning(tmp_path: Path) -> None:
    """The agent would start, and advertise less than was meant."""
    (tmp_path / "a.yaml").write_text(OFFER + "---" + pool("a", "203.0.113.0/24"))
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert result.status == 0
    assert "names IPAddressPool nowhere, which does not exist" in result.output
    assert "names BGPPeer nobody, which does not exist" in result.output
    assert "1 object valid" not in result.output
    assert "0 errors, 2 warnings" in result.output


def test_a_pool_that_would_be_refused_is_there_all_the_same(tmp_path: Path) -> None:
    """One mistake is one sentence."""
    (tmp_path / "a.yaml").write_text(OFFER + "---" + pool("nowhere", "203.0.113.0/99"))
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert "IPAddressPool nowhere, which" not in result.output
    assert "IPAddressPool a, which" in result.output


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_form_for_scripts_says_the_same(tmp_path: Path, form: str) -> None:
    """Errors, warnings and what was skipped, each in a list."""
    (tmp_path / "a.yaml").write_text(FOREIGN + "---" + OFFER + "---" + pool("a", "203.0.113.0/99"))
    result = asyncio.run(bgpctl("validate", "-o", form, str(tmp_path)))
    assert result.status == 1
    found = yaml.safe_load(result.output)  # JSON is YAML
    assert found["valid"] == ["BGPAdvertisement o"]
    assert [len(found[key]) for key in ("errors", "warnings", "skipped")] == [1, 2, 1]


def test_standard_input_is_a_dash(tmp_path: Path) -> None:
    """What another program renders needs no file."""
    file = tmp_path / "any"
    file.write_text(pool("a", "203.0.113.0/99"))
    line = ("sh", "-c", f"{sys.executable} -m bgpd.ctl validate - < {file}")
    result = asyncio.run(command(line))
    assert result.status == 1
    assert "error: standard input" in result.output


@pytest.mark.parametrize("name", ["Not_A_Name", '""'])
def test_a_bad_name_hides_no_other_error(tmp_path: Path, name: str) -> None:
    """A person corrects everything at once."""
    (tmp_path / "a.yaml").write_text(pool(name, "203.0.113.0/99"))
    result = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert result.status == 1
    assert "metadata.name" in result.output
    assert '"203.0.113.0/99"' in result.output
    assert "2 errors" in result.output


def test_documents_that_cannot_hold_together_are_errors(tmp_path: Path) -> None:
    """Pools that overlap, an alias defined twice, a block beyond its pool: as the agent says it."""
    community = """
apiVersion: metallb.io/v1beta1
kind: Community
metadata: {name: NAME}
spec: {communities: [{name: ours, value: "65000:1"}]}
"""
    wide = """
apiVersion: bgpd.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: wide}
spec: {aggregationLength: 16, communities: [theirs]}
"""
    peer = """
apiVersion: bgpd.io/v1alpha1
kind: BGPPeer
metadata: {name: NAME}
spec: {myASN: 65000, peerASN: 65530, peerAddress: 192.0.2.9, passwordFile: /key}
"""
    files = [pool("a", "203.0.113.0/24"), pool("b", "203.0.113.0/26"), wide]
    files += [peer.replace("NAME", name) for name in ("p", "q")]
    files += [community.replace("NAME", name) for name in ("c", "d")]
    (tmp_path / "all.yaml").write_text("---".join(files))
    done = asyncio.run(bgpctl("validate", str(tmp_path)))
    assert done.status == 1
    assert "7 objects valid, 4 errors, 1 warning" in done.output
    for words in (
        "error: IPAddressPool b: 203.0.113.0/26 overlaps",
        "error: BGPPeer q: spec.peerAddress 192.0.2.9 is already that of BGPPeer p",
        "error: Community d: alias ours is already defined by Community c",
        "error: BGPAdvertisement wide: spec.aggregationLength 16: must be 24..32",
        "spec.communities names theirs, which is no community",
    ):
        assert words in done.output
