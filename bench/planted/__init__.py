"""What the gauntlet plants: invented personal data and secrets in sentences, and rows with known twins."""
