"""Gates: what a model must reach, judged by its finished report, for CI to stop at."""
