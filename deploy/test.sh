#!/usr/bin/env bash
# Tries what this folder deploys, for real, as root: every part of deploy/test, or those that are named.
#
#     deploy/test.sh [PART ...]
#
# The binaries are those of target/debug, else of target/release; MYMT5_GATEWAY and MYMT5_ENGINE name
# others. A part that cannot run here says so and is skipped; with MYMT5_REQUIRE=1 it fails instead.
set -euo pipefail
cd "$(dirname "$0")/test"
parts=("$@")
((${#parts[@]})) || parts=(docker kubernetes systemd supervisors scale)
for part in "${parts[@]}"; do
    printf -- '-- %s\n' "$part"
    "./$part.sh"
done
