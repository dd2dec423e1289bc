"""Area `secret`: where a peer's password comes from, and what a session is told of it."""

from collections.abc import Mapping
from typing import Any

from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.cluster import NodeRoom
from tests.conformance.room import Fields, InexpressibleError


class SecretRoom(NodeRoom):
    """One peer, and the Secrets of its namespace."""

    def begin(self) -> None:
        """Write the documents; nobody has read them yet."""
        given = self.given
        backend = given.take("backend", "native")
        given.take("delegate_backend")  # where it is true, the case is not ours
        if backend not in ("native", "frr"):
            raise InexpressibleError(f"given.backend {backend!r} is not ours")
        peer = given.map("peer")
        fields = peer.rest()
        resolved = fields.pop("secret_resolved_to", None)
        secrets = {name: dict(one or {}) for name, one in given.map("secrets").items()}
        if resolved is not None:
            fields["passwordSecret"] = {"name": "resolved"}
            data = {"password": resolved}
            secrets["resolved"] = {"type": "kubernetes.io/basic-auth", "data": data}
        reference = fields.get("passwordSecret") or {}
        home = reference.get("namespace") or documents.NAMESPACE
        fields.setdefault("namespace", home)
        self._documents = [
            documents.peer("p", Fields(fields, "given.peer"), filled=True),
            *(
                documents.secret(name, Fields(one, f"given.secrets.{name}"), home)
                for name, one in secrets.items()
            ),
        ]
        self.agent = Agent(self.me)
        self.agent.put(documents.node(self.me))

    def op_parse(self, _step: Fields) -> None:
        """Let the node read the documents."""
        self.agent.put(*self._documents)
        if self.agent.refusals:
            self.error("; ".join(self.agent.refusals))
        elif not self.agent.sessions:
            self.error("the peer has no session, for want of its Secret")
        else:
            self.ok()

    op_session_parameters = op_parse

    def see_transient(self, _expected: bool) -> object:
        """Return whether the error goes when the Secret appears, and nothing else changes."""
        if "error" not in self.results:
            return "there is no error"
        names = {one["metadata"]["name"] for one in self._documents if one["kind"] == "Secret"}
        reference = self._documents[0]["spec"].get("passwordSecret") or {}
        if not reference.get("name") or reference["name"] in names:
            return False
        fields = {"type": "kubernetes.io/basic-auth", "data": {"password": "appears"}}
        home = self._documents[0]["metadata"]["namespace"]
        self.agent.put(documents.secret(reference["name"], Fields(fields, "appears"), home))
        return self.agent.sessions == ["p"]

    def see_peer(self, expected: Mapping[str, Any]) -> object:
        """Return the password that the session has; it is never told where that is from."""
        values = {"effective_password": self._password(), "password_ref": None}
        unknown = expected.keys() - values.keys()
        if unknown:
            raise InexpressibleError(f"a peer has no {', '.join(sorted(unknown))} to look at")
        return {key: values[key] for key in expected}

    def see_password(self, _expected: Any) -> object:
        """Return the password that the session has."""
        return self._password()

    def see_ref(self, _expected: Any) -> object:
        """Return the reference that the session is given: there is none."""
        return None

    def _password(self) -> str | None:
        context = self.agent.planner.context
        peers = context.peers if context else ()
        return peers[0].password if len(peers) == 1 else None
