"""Privacy: what the detectors find, put in order, and replaced in every text of a row."""
