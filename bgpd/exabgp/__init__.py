"""Everything that knows ExaBGP: its configuration, its process, its words, its traps.

Two sides, one pipe in each direction between them:

* The reflex uses `configuration.render` (who the peers are), `command` and `message` (what is
  said), and `pipe` (how). These know nothing of ExaBGP's code.
* The `launcher` becomes ExaBGP. It puts our parts into the seats where ExaBGP's own would fail
  us: `reactor` (loop, reload, signals), `session` (one peer), `transport` (its connection),
  `rib` (what it is offered), `process` (the reflex), `commands` (what the reflex asks).
  `mends` names each fault; tests show it with and without its cure.

Pinned to ExaBGP 5.0: the parts use its internals, and the tests say when those change.
"""
