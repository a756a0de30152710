"""`python -m sky_ssl` is the `sky-ssl` command."""

import sys

from sky_ssl.cli import main

if __name__ == "__main__":
    sys.exit(main())
