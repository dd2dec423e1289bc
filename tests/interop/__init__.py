"""The shipped speaker with BIRD, FRR, GoBGP and OpenBGPD: what a session can be, in one table."""
