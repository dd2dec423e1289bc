"""The lab: a client, a router and N nodes on one machine, and the faults that befall them.

Everything lives in one private world (mount, network and process namespaces); whatever ends the
world's first process ends all of it. `scripts/lab` is the way in.
"""
