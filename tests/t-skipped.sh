#!/bin/sh
# t-skipped.sh -- stands in for the unit tests where Check is missing
echo "The unit tests were not built: Check is not installed."
echo "Install it (Debian: check; or run tools/setup) and configure again."
exit 77
