"""Where a node's routers are, as its provider says: metadata, an API, annotations, constants.

One file for each provider, and none of them acts: it is given a document and returns peers, or
raises one sentence. `adapters` is the table of them, `fetch` gets documents, `cache` keeps what
was understood, and `course` says when to look again and what to believe meanwhile.
"""
