#!/bin/sh
# Runs a program for Supervisor, which counts any end within `startsecs` as a failed start and tries again,
# whatever the exit code. A faulty configuration (78) ends at once and is faulty again: that end waits here
# until it counts as an end, and `exitcodes` makes it final.
trap : TERM INT
"$@"
status=$?
if [ "$status" -eq 78 ]; then sleep 6; fi
exit "$status"
