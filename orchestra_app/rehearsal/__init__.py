"""The embedded world: generated questions, a corpus about invented places, and simulated experts."""
