"""A peer's password comes from a Secret: from files and from the API, and it outlives mistakes."""

import base64
from typing import Any

from bgpd.kube.documents import Key, Object, read
from bgpd.kube.resource import secret
from bgpd.kube.store import Changes
from bgpd.kube.vanish import SETTLE, UNKEYED, Keeper
from bgpd.kube.view import Objects, View
from tests.fakes.apiserver import Asked, FakeApiServer
from tests.kube.build import Document, peer, text
from tests.kube.follow import NAMESPACE, PATHS, Following, follow

PEERS = PATHS["BGPPeer"]
SECRETS = secret(NAMESPACE, "tor").path
TOR = Key("BGPPeer", "", "tor")
KEY = Key("Secret", "", "tor")


def key(name: str, password: str, **fields: Any) -> Document:
    """Return a Secret as a server has it."""
    data = {"password": base64.b64encode(password.encode()).decode()}
    metadata = {"name": name, "namespace": NAMESPACE}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    return {**document, "type": "kubernetes.io/basic-auth", **fields}


def tor(name: str = "tor", of: str = "tor", address: str = "192.0.2.1") -> Document:
    """Return a peer whose password is in the Secret *of*."""
    return peer(name, passwordSecret={"name": of}, peerAddress=address)


def passwords(objects: Objects) -> dict[str, str | None]:
    """Return the password of each peer that there can be a session with."""
    return {one.name: one.password for one in objects.peers}


class World:
    """A view, what keeps it, and a clock."""

    def __init__(self, *documents: Document, remembered: dict[Key, Object] | None = None) -> None:
        self.view = View()
        self.keeper = Keeper(self.view, remembered)
        self.now = 0.0
        self.say(*documents)

    def say(self, *documents: Document) -> Changes:
        """Take documents as they are now."""
        found = read("f.yaml", text(*documents)).objects
        for one, value in found.items():
            self.view.put(one, value)
        return self.keeper.take(Changes(added=frozenset(found)), now=self.now)

    def drop(self, *keys: Key) -> Changes:
        """Delete objects, and wait until that takes effect."""
        for one in keys:
            self.view.drop(one)
        first = self.keeper.take(Changes(removed=frozenset(keys)), now=self.now)
        self.now += SETTLE
        return first.then(self.keeper.settle(now=self.now))

    @property
    def said(self) -> list[str]:
        """What a person is told of Secrets."""
        return [one.message for one in self.keeper.conditions if one.type == UNKEYED]


def test_a_peer_has_the_password_of_its_secret() -> None:
    """Whichever of the two comes first."""
    world = World(tor())
    assert passwords(world.keeper.objects) == {}
    assert "no Secret tor" in world.said[0]
    assert "gets no session until there is" in world.said[0]
    world.say(key("tor", "hunter2"))
    assert passwords(world.keeper.objects) == {"tor": "hunter2"}
    assert world.said == []
    world.say(key("tor", "hunter3"))
    assert passwords(world.keeper.objects) == {"tor": "hunter3"}


def test_a_secret_that_goes_leaves_its_password() -> None:
    """A session that works is not taken down by a deletion, and a person hears of it."""
    world = World(tor(), key("tor", "hunter2"))
    assert not world.drop(KEY).removed
    assert passwords(world.keeper.objects) == {"tor": "hunter2"}
    assert "keeps its last password" in world.said[0]
    world.say(key("tor", "hunter3"))
    assert passwords(world.keeper.objects) == {"tor": "hunter3"}
    assert world.said == []


def test_a_person_may_let_go_of_it() -> None:
    """`bgpctl accept` is the word for all that vanished."""
    world = World(tor(), key("tor", "hunter2"))
    world.drop(KEY)
    assert world.keeper.accept().removed == {KEY}
    assert passwords(world.keeper.objects) == {}


def test_a_secret_that_nobody_refers_to_any_more_goes() -> None:
    """Together with its peer, or after it."""
    other = tor("other", "none", "192.0.2.2")
    world = World(tor(), key("tor", "hunter2"), other)
    assert world.drop(KEY, TOR).removed == {KEY, TOR}
    world = World(tor(), key("tor", "hunter2"), other)
    world.drop(KEY)
    assert KEY in set(world.keeper.objects)
    world.say(tor(of="none"))
    world.say(other)
    assert KEY not in set(world.keeper.objects)


def test_a_remembered_peer_keeps_the_password_that_it_had() -> None:
    """After a restart, while the Secret is not known yet."""
    world = World(tor(), key("tor", "hunter2"))
    (resolved,) = world.keeper.objects.peers
    restarted = World(remembered={TOR: resolved})
    restarted.view.put(TOR, resolved)
    assert passwords(restarted.keeper.objects) == {"tor": "hunter2"}


def test_an_agent_reads_the_secrets_of_its_peers_and_no_others() -> None:
    """One watch for each name, so that a Role may name them."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        assert passwords(one.source.objects) == {"tor": "hunter2"}
        assert [one.query["fieldSelector"] for one in _asked(api)] == ["metadata.name=tor"]
        api.apply(SECRETS, key("tor", "hunter3"))
        await one.until(lambda: passwords(one.source.objects) == {"tor": "hunter3"})
        api.apply(SECRETS, key("spine", "hunter4"))
        api.apply(PEERS, tor("spine", "spine", "192.0.2.2"))
        both = {"tor": "hunter3", "spine": "hunter4"}
        await one.until(lambda: passwords(one.source.objects) == both)
        api.delete(PEERS, "tor")
        await one.until(lambda: KEY not in set(one.source.objects))
        assert passwords(one.source.objects) == {"spine": "hunter4"}
        assert one.source.conditions == ()

    def prepare(api: FakeApiServer) -> None:
        api.install(SECRETS)
        api.apply(SECRETS, key("tor", "hunter2"))
        api.apply(PEERS, tor())

    follow(story, prepare=prepare)


def test_a_secret_that_is_wrong_leaves_the_last_password_in_force() -> None:
    """The condition says what is wrong with it, not what is in it."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        api.apply(SECRETS, key("tor", "hunter9", type="Opaque"))
        await one.until(lambda: bool(one.source.problems))
        (problem,) = one.source.problems
        assert "must be kubernetes.io/basic-auth" in problem.message
        assert passwords(one.source.objects) == {"tor": "hunter2"}
        assert one.source.outdated == (KEY,)
        api.apply(SECRETS, key("tor", "x" * 81))
        await one.until(lambda: one.source.problems[0].path == "data.password")
        assert "xxx" not in one.source.problems[0].message
        assert passwords(one.source.objects) == {"tor": "hunter2"}

    def prepare(api: FakeApiServer) -> None:
        api.install(SECRETS)
        api.apply(SECRETS, key("tor", "hunter2"))
        api.apply(PEERS, tor())

    follow(story, prepare=prepare)


def test_an_agent_that_may_not_read_a_secret_starts_all_the_same() -> None:
    """Its other peers work, and a condition names the Secrets."""

    async def story(one: Following, _: FakeApiServer) -> None:
        await one.synced()
        assert passwords(one.source.objects) == {"other": None}
        await one.until(lambda: one.reasons == ["ApiForbidden"])
        assert "watch secrets" in one.source.conditions[0].message

    def prepare(api: FakeApiServer) -> None:
        api.install(SECRETS)
        api.refuse = _forbid
        api.apply(PEERS, tor())
        api.apply(PEERS, peer("other", peerAddress="192.0.2.2"))

    follow(story, prepare=prepare)


def test_failures_stay_counted_when_nobody_follows_what_failed_any_more() -> None:
    """By the word of the condition; a count that goes back would be counted twice."""

    async def story(one: Following, api: FakeApiServer) -> None:
        await one.synced()
        await one.until(lambda: one.source.errors["ApiForbidden"] > 0)
        api.delete(PEERS, "tor")
        before = one.source.errors["ApiForbidden"]
        await one.until(lambda: one.reasons == [])
        assert one.source.errors["ApiForbidden"] >= before

    def prepare(api: FakeApiServer) -> None:
        api.install(SECRETS)
        api.refuse = _forbid
        api.apply(PEERS, tor())
        api.apply(PEERS, peer("other", peerAddress="192.0.2.2"))

    follow(story, prepare=prepare)


def _forbid(asked: Asked) -> tuple[int, Document] | None:
    if asked.path != SECRETS:
        return None
    return 403, {"kind": "Status", "reason": "Forbidden", "message": "secrets is forbidden"}


def _asked(api: FakeApiServer) -> list[Asked]:
    return [one for one in api.asked if one.path == SECRETS]
