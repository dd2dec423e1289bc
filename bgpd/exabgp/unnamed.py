"""Start without a name server: import this before anything else of ExaBGP.

While it is imported, ExaBGP asks name servers for a domain that it tells nobody afterwards
(`exabgp.bgp.message.open.capability.hostname`): on a node whose name servers do not answer, a
speaker would start ten seconds late.
"""

import socket

import exabgp.util.dns

exabgp.util.dns.__domain_name = socket.gethostname()  # noqa: SLF001  it has no other way in
