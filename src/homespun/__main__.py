"""`python -m homespun` is the `homespun` command."""

import sys

from homespun.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
