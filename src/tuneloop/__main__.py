"""``python -m tuneloop``."""

from tuneloop.cli import main

if __name__ == "__main__":
    main()
