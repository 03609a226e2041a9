#!/usr/bin/env bash
# Images and compose on a Docker of its own. Missing packages are installed where they can be.
set -euo pipefail

skip() {
    printf 'skipped: images and compose: %s\n' "$1"
    [[ ${MYMT5_REQUIRE:-} != 1 ]] || exit 1
    exit 0
}

((EUID == 0)) || skip "not root"
packages=()
command -v dockerd >/dev/null || packages+=(docker.io)
command -v docker-compose >/dev/null || packages+=(docker-compose)
command -v ip >/dev/null || packages+=(iproute2)
if ((${#packages[@]})); then
    "$(dirname "$0")/install.sh" "${packages[@]}" >/dev/null 2>&1 || skip "there is no ${packages[*]}"
fi
PYTHONPATH=$(dirname "$0") PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/docker/images.py"
