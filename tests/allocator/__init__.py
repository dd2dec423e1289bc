"""The allocator: decisions as tables, and what must hold whatever happens."""
