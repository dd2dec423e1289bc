"""Everything that knows ExaBGP: its configuration, its process, its words, its traps."""
