"""`python -m archwright` is the command line."""

import sys

from archwright.cli import main

sys.exit(main())
