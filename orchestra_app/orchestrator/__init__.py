"""The heart: the loop that runs the policy, the ledger that pays, and the registry of runs."""
