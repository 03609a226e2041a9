#!/usr/bin/env bash
# Soaks one gateway with a few engines for a while: nothing is lost, and memory stays within its bound.
set -euo pipefail
exec "${MYMT5_PYTHON:-python3}" "$(dirname "$0")/../bench/scale.py" --short
