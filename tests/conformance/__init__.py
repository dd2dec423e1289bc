"""Cases that say how a load balancer behaves, run against bgpd's own code.

`case` reads a file, a room for each area turns *given* into documents and *action* into calls of
the real code, and looks at the outcome through *expect*. Nothing here decides anything of its own.
"""
