#!/usr/bin/env bash
# Runs your MT5 script with the official MetaTrader5 package, without a terminal or an account:
#
#     deploy/terminal/try.sh [TERMINAL_OPTION ... --] script.py [ARGUMENT ...]
#
# The first run installs Wine and a Windows Python (about a minute) and builds the simulated terminal.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=${MYMT5_SIMULATED_TERMINAL:-}
if [[ ! $binary ]]; then
    (cd "$root" && cargo build --quiet --release --locked -p mymt5-simulated-terminal)
    binary=${CARGO_TARGET_DIR:-$root/target}/release/mymt5-simulated-terminal
fi
MYMT5_SIMULATED_TERMINAL=$binary exec python3 "$root/deploy/terminal/simulated.py" "$@"
