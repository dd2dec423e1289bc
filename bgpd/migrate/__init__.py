"""From MetalLB to bgpd: what carries over, what is copied, and what the next step is. Pure.

Whoever reads a cluster or files makes a `Found`; `check` judges it, `copy` turns MetalLB's objects
into ours, `walk` says where a cluster stands and what to type next. The way itself and its reasons
are in docs/migrate-from-metallb.md.
"""
