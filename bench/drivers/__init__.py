"""One program per trainer: reads a job, trains, writes what happened. Each may live in an environment of its own."""
