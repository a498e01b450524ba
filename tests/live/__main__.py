"""`python tests/live`: the acceptance run. `make live` calls it."""

import sys

from live import main

sys.exit(main(sys.argv[1:]))
