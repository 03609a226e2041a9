#!/usr/bin/env bash
# Runs gateway and engine under Supervisor and PM2 by the files that we ship, as root, and looks through
# the tasks of Windows. MYMT5_PYTHON names a Python with `supervisor`, MYMT5_PM2 the program pm2.
set -euo pipefail
exec "${MYMT5_PYTHON:-python3}" "$(dirname "$0")/supervisors.py"
