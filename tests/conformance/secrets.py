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
        if backend != "native":
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
