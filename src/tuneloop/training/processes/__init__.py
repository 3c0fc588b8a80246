"""Several processes on one machine that share one training: who they are, what they say, how they start and end."""
