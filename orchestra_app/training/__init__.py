"""Training the policy on labelled traces or on questions: samples, GRPO, jobs and checkpoints."""
