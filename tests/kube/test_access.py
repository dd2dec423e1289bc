"""Inside a cluster, two files and two variables tell where the API is and who we are."""

import asyncio
import base64
import os
from pathlib import Path

import pytest
import yaml

from bgpd.kube.access import InCluster, context, mounted
from bgpd.kube.kubeconfig import AGAIN, Kubeconfig
from bgpd.kube.source import KubernetesSource
from bgpd.model.errors import ConfigError
from tests.fakes.apiserver import FakeApiServer, served
from tests.kube import build
from tests.kube.certificates import GOOD, OLD, Identity
from tests.kube.follow import NAMESPACE, PATHS, SERVICES, Following

not_accepted = pytest.mark.parametrize(
    ("validity", "sentence"),
    [pytest.param(GOOD, "self-signed certificate", id="of a stranger"),
     pytest.param(OLD, "certificate has expired", id="that has expired")],
)  # fmt: skip


def strangers(directory: Path, validity: tuple[str, str]) -> tuple[Identity, Identity]:
    """Return whom we trust and who a server says it is: one whom we cannot accept."""
    trusted = Identity(directory / "good", validity)
    return trusted, Identity(directory / "shown") if validity is GOOD else trusted


def account(directory: Path, identity: Identity) -> Path:
    """Write a service account as the kubelet mounts it."""
    root = directory / "account"
    root.mkdir()
    (root / "token").write_text("one")
    (root / "namespace").write_text(NAMESPACE)
    (root / "ca.crt").write_bytes(identity.certificate.read_bytes())
    return root


def environment(port: int) -> dict[str, str]:
    """Return what a pod's environment says."""
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}


def replace(path: Path, content: bytes) -> None:
    """Replace a file as the kubelet does."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)  # noqa: PTH105 - the words that the kubelet would use


def test_a_service_account_opens_the_door_and_its_next_token_does_too(tmp_path: Path) -> None:
    """TLS and all; the kubelet replaces the token on disk."""
    identity = Identity(tmp_path / "good")

    async def main() -> None:
        async with served(identity.server) as api:
            api.install(*PATHS.values())
            api.token = "one"  # noqa: S105
            root = account(tmp_path, identity)
            one = Following(KubernetesSource(InCluster(environment(api.port), root)))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one.source.run(one.told.append))
                await one.synced()
                replace(root / "token", b"two\n")
                api.token = "two"  # noqa: S105
                api.cut()
                api.apply(SERVICES, build.service("a"))
                await one.until(lambda: len(one.source.objects) == 1)
                task.cancel()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        pytest.param("token", b"on\ne", "token has characters that no token has", id="two lines"),
        pytest.param("token", b"\xff\x00", "token has characters that no", id="a broken disk"),
        pytest.param("ca.crt", b"", "authority is empty", id="no authority to trust"),
        pytest.param("ca.crt", b"\xc3\xa9", "authority is empty", id="nor does nonsense"),
    ],
)
def test_a_service_account_that_is_damaged_is_waited_out(
    tmp_path: Path, name: str, damage: bytes, sentence: str
) -> None:
    """Routes outlive a file of nonsense, and nobody hears what may be most of a token."""
    identity = Identity(tmp_path / "good")

    async def main() -> None:
        async with served(identity.server) as api:
            api.install(*PATHS.values())
            root = account(tmp_path, identity)
            whole = (root / name).read_bytes()
            one = Following(KubernetesSource(InCluster(environment(api.port), root)))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one.source.run(one.told.append))
                await one.synced()
                replace(root / name, damage)
                api.cut()
                await one.until(lambda: one.reasons == ["ApiUntrusted"])
                message = one.source.conditions[0].message
                assert sentence in message
                with pytest.raises(ConfigError, match=sentence):
                    InCluster(environment(api.port), root)
                replace(root / name, whole)
                await one.until(lambda: not one.reasons)
                task.cancel()

    asyncio.run(main())


def test_an_authority_may_have_comments_in_any_language(tmp_path: Path) -> None:
    """Go passes over them."""
    identity = Identity(tmp_path / "good")
    text = identity.certificate.read_text()
    assert len(context(f"# Zürich\n{text}").get_ca_certs()) == 1


@not_accepted
def test_a_certificate_that_is_not_accepted_is_waited_out_in_a_cluster(
    tmp_path: Path, validity: tuple[str, str], sentence: str
) -> None:
    """The cluster replaces certificates by itself; a condition says what is wrong until then."""
    trusted, shown = strangers(tmp_path, validity)

    async def main() -> None:
        async with served(shown.server) as api:
            api.install(*PATHS.values())
            root = account(tmp_path, trusted)
            one = Following(KubernetesSource(InCluster(environment(api.port), root)))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one.source.run(one.told.append))
                await one.until(lambda: one.reasons == ["ApiUntrusted"])
                assert sentence in one.source.conditions[0].message
                assert not one.source.synced
                await renewed(api, root, tmp_path)
                await one.synced()
                assert not one.source.conditions
                task.cancel()

    asyncio.run(main())


async def renewed(api: FakeApiServer, root: Path, directory: Path) -> None:
    """Give *api* a certificate that what is mounted in *root* vouches for."""
    new = Identity(directory / "new")
    await api.stop()
    api.tls = new.server
    replace(root / "ca.crt", new.certificate.read_bytes())
    await api.start()


def kubeconfig(directory: Path, port: int, authority: Identity) -> Path:
    """Write a kubeconfig that trusts *authority*."""
    data = base64.b64encode(authority.certificate.read_bytes()).decode()
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": data}
    path = directory / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    return path


@not_accepted
def test_a_certificate_that_a_kubeconfig_does_not_accept_ends_the_start(
    tmp_path: Path, validity: tuple[str, str], sentence: str
) -> None:
    """A person gave it, and a person has to correct it."""
    trusted, shown = strangers(tmp_path, validity)

    async def main() -> None:
        async with served(shown.server) as api:
            path = kubeconfig(tmp_path, api.port, trusted)
            with pytest.raises(ConfigError, match=f"kubeconfig .* is not trusted: .*{sentence}"):
                await KubernetesSource(Kubeconfig(path)).run(lambda _: None)

    asyncio.run(main())


def test_a_file_that_is_no_kubeconfig_is_called_that(tmp_path: Path) -> None:
    """Not in Python's words for its own types."""
    path = tmp_path / "kubeconfig"
    for content in (b"root:x:0:0\n", b"\x7fELF\xd0\x00"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=f"^kubeconfig {path}: is not a kubeconfig; name"):
            Kubeconfig(path)


def test_a_kubeconfig_names_namespace_server_and_token(tmp_path: Path) -> None:
    """What it leaves out has the default that kubectl uses."""
    identity = Identity(tmp_path / "good")
    access = Kubeconfig(kubeconfig(tmp_path, 6443, identity))
    assert access.namespace == "default"
    assert access.where == "https://127.0.0.1:6443"
    assert access.authorization() == "Bearer t"
    assert access.endpoint().authority == "127.0.0.1:6443"
    assert Kubeconfig(kubeconfig(tmp_path, 6443, identity), namespace="x").namespace == "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "there is no such|Invalid|empty", id="empty"),
        pytest.param("a: [", "", id="no YAML"),
        pytest.param("current-context: x\ncontexts: []\n", "", id="a context that is not there"),
    ],
)
def test_a_kubeconfig_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    """Whatever its parser raises."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"^kubeconfig {path}: .*({sentence})"):
        Kubeconfig(path)
    with pytest.raises(ConfigError, match="there is no such file"):
        Kubeconfig(tmp_path / "absent")
    with pytest.raises(ConfigError, match="is not a regular file"):
        Kubeconfig(tmp_path)
    path.write_text("")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        Kubeconfig(path / "below a file")


def with_plugin(directory: Path, *lines: str) -> Path:
    """Write a kubeconfig whose plugin runs *lines* of shell, then gives a token."""
    credential = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"'
    plugin = directory / "plugin"
    told = f"""echo '{credential}, "status": {{"token": "t'$count'"}}}}'"""
    plugin.write_text("\n".join(["#!/bin/sh", *lines, told, ""]))
    plugin.chmod(0o755)
    path = kubeconfig(directory, 6443, Identity(directory / "good"))
    content = yaml.safe_load(path.read_text())
    version = "client.authentication.k8s.io/v1"
    execute = {"apiVersion": version, "command": str(plugin), "interactiveMode": "Never"}
    content["users"][0]["user"] = {"exec": execute}
    path.write_text(yaml.safe_dump(content))
    return path


def test_watches_that_lose_their_server_share_one_run_of_a_plugin(tmp_path: Path) -> None:
    """A plugin may take a second of a core and ask an identity provider; there are 20 watches."""
    runs = tmp_path / "runs"
    access = Kubeconfig(with_plugin(tmp_path, f"echo run >> {runs}", f"count=$(wc -l < {runs})"))

    async def main() -> None:
        await asyncio.gather(*(access.renew() for _ in range(20)))
        assert access.authorization() == "Bearer t2"
        await access.renew()
        assert len(runs.read_text().split()) == 2, "the start's and one more"
        access._looked -= AGAIN
        await access.renew()
        assert access.authorization() == "Bearer t3"

    asyncio.run(main())


def test_nobody_waits_for_a_plugin_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may need the network that is away; what it said before is still good."""
    monkeypatch.setattr("bgpd.kube.kubeconfig.PATIENCE", 0.1)
    hangs, ends = tmp_path / "hangs", tmp_path / "ends"
    wait = f"if [ -e {hangs} ]; then until [ -e {ends} ]; do sleep 0.05; done; fi"
    access = Kubeconfig(with_plugin(tmp_path, "count=1", wait))
    hangs.touch()

    async def main() -> None:
        async with asyncio.timeout(20):
            await access.renew()
            await access.renew()
            assert access.authorization() == "Bearer t1"
            ends.touch()
            while access._look is not None:  # noqa: ASYNC110 - a condition is looked at
                await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(":6443", ":99999", "server .*: Port out of range", id="a port that is none"),
        pytest.param(":6443", ":https", "server .*: Port could not be", id="a port by its name"),
        pytest.param("token: t", 'token: "a\\nb"', "no token has", id="a token of two lines"),
    ],
)
def test_a_kubeconfig_that_no_request_can_be_made_of_is_one_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    """What kubectl would choke on as well."""
    path = kubeconfig(tmp_path, 6443, Identity(tmp_path / "good"))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=f"^kubeconfig.* {sentence}"):
        Kubeconfig(path)


def test_what_is_missing_in_a_pod_is_one_sentence(tmp_path: Path) -> None:
    """No variables, no files, or an authority that is none."""
    with pytest.raises(ConfigError, match="this is no pod"):
        InCluster({})
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        InCluster(environment(1), tmp_path)
    root = account(tmp_path, Identity(tmp_path / "good"))
    assert mounted(root)
    assert not mounted(tmp_path)
    assert InCluster(environment(443), root).where == "https://127.0.0.1:443"
    (root / "ca.crt").write_text("nonsense")
    with pytest.raises(ConfigError, match="cannot be used"):
        InCluster(environment(1), root)
