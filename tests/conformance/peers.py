"""Area `peers`: which sessions a node has, and what an edit of a peer does to them."""

from typing import Any, Final

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, flag

NO_SESSION: Final = frozenset({"nodeSelectors", "nodes", "labels", "annotations"})
"""Fields of a peer that say where its session is, and nothing of the session itself."""


class PeersRoom(NodeRoom):
    """A node with labels, and peers that choose nodes by them."""

    def begin(self) -> None:
        """Put the peers in force."""
        given = self.given
        given.take("backend")
        self._state = given.take("session")
        if self._state not in (None, "established"):
            raise InexpressibleError(f"given.session {self._state!r} is none that is known here")
        self._restarted: bool | None = None
        self._edited: set[str] = set()
        self.agent = Agent(self.me)
        self._given = {name: dict(one or {}) for name, one in given.map("peers").items()}
        listed = given.take("peers_list") or []
        self._list = [
            documents.peer(None, Fields(one, f"given.peers_list[{place}]"), filled=False)
            for place, one in enumerate(listed)
        ]
        self.agent.put(
            documents.node(self.me, given.take("my_labels")), *self._documents(self._given)
        )
        self.must_hold()

    def _documents(self, peers: dict[str, Any]) -> list[Document]:
        return self.peers(Fields(peers, "given.peers"))

    # What happens

    def op_sync(self, step: Fields) -> None:
        """Look at the sessions."""

    def op_relabel(self, step: Fields) -> None:
        """Give the node other labels."""
        self.agent.put(documents.node(self.me, step.need("labels")))

    def op_edit_peer(self, step: Fields) -> None:
        """Change fields of the peers that the step names."""
        for name, changes in step.rest().items():
            if name not in self._given:
                raise InexpressibleError(f"there is no peer {name} to edit")
            before = self.agent.session(name)
            if self._state and not before:
                raise InexpressibleError(f"{name} shall be established, and has no session")
            self._given[name] |= changes
            self._edited |= changes.keys()
            self.agent.put(*self._documents(self._given))
            self._restarted = bool(self._restarted) or before != self.agent.session(name)

    def op_remove_peer(self, step: Fields) -> None:
        """Delete a peer."""
        name = step.need("peer")
        self.agent.drop("BGPPeer", name)
        del self._given[name]

    op_delete_peer = op_remove_peer

    def op_add_peer(self, step: Fields) -> None:
        """Add a peer."""
        named = step.take("peer")
        found = step.rest()
        self._given |= {named: found} if named else found
        self.agent.put(*self._documents(self._given))

    def op_parse(self, _step: Fields) -> None:
        """Take in the list of peers; each of them is an object."""
        before = len(self.agent.refusals)
        self.agent.put(*self._list)
        new = self.agent.refusals[before:]
        if new:
            self.error("; ".join(new))
        else:
            self.ok()

    op_parse_native = op_parse_frr = op_validate = op_parse

    # What is seen

    def see_session_restarted(self, expected: Any) -> object:
        """Return whether a session is set up anew.

        `only when a session parameter changed` is held against what the step edited.
        """
        if self._restarted is None:
            raise InexpressibleError("no step edits a peer")
        if expected == "only when a session parameter changed":
            due = bool(self._edited - NO_SESSION)
            return expected if due == self._restarted else f"restarted: {self._restarted}"
        flag(expected, "session_restarted")
        return self._restarted

    def see_sessions_to_same_address(self, _expected: int) -> object:
        """Return the most sessions that one address has."""
        found = self.agent.exabgp.peers()
        return max((found.count(one) for one in found), default=0)
