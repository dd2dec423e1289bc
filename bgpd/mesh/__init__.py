"""The mesh of speakers: heartbeats, liveness, generation, and the takeover that they allow."""
