#!/usr/bin/env bash
# Attacks gateway, engine and bridge, each under a user of its own, and says what held. As root:
#
#     deploy/attack/run.sh [--short] [--only NAME ...]
#
# The first run installs a Python environment, unless MYMT5_PYTHON names one with grpcio-tools.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${MYMT5_PYTHON:-}
if [[ ! $python ]]; then
    environment=${XDG_CACHE_HOME:-$HOME/.cache}/mymt5-attack
    python=$environment/bin/python
    if ! "$python" -c 'import grpc_tools' 2>/dev/null; then
        python3 -m venv --clear "$environment"
        "$python" -m pip install --quiet --disable-pip-version-check grpcio-tools
    fi
fi
exec "$python" "$here/attack.py" "$@"
