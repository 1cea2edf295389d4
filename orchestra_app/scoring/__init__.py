"""Whether an answer is right and what a trace earns."""
