"""`python -m frustration` is the command `frustration`."""

import sys

from frustration.commands import main

if __name__ == "__main__":
    sys.exit(main())
