"""Ask things whether they work: probes, and when an answer changes a mind.

`Prober` is the shell: one object in the agent's loop that asks thousands of things, each at its
own rhythm, and says at once when the health of one changed. What decides is pure and beside it:
`Hysteresis` (how many answers it takes), `phase` (when to ask, so that probes never bunch), and
one exchange for each kind of probe (what to send, what an answer means).
"""
