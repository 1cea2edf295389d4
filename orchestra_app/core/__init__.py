"""What things are: frozen values, the events of a rollout and the trace they fold into. No I/O."""
