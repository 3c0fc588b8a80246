"""Looking: runs as pages of a local web site, which only reads."""
