#!/usr/bin/env bash
# Holds the units of deploy/systemd against systemd-analyze, and tries them under a systemd of their own:
# a Debian 13 in systemd-nspawn, made once in ~/.cache/mymt5/systemd. Needs root and Debian's packages
# systemd, systemd-container and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'skipped: systemd: %s\n' "$1"
    [[ ${MYMT5_REQUIRE:-} != 1 ]] || exit 1
    exit 0
}

((EUID == 0)) || skip "not root"
for tool in systemd-analyze systemd-nspawn debootstrap; do
    command -v "$tool" >/dev/null && continue
    { apt-get update -qq && apt-get install -qq -y systemd systemd-container debootstrap; } >/dev/null 2>&1 ||
        skip "there is no $tool"
    break
done
root=~/.cache/mymt5/systemd
if [[ ! -e $root/made ]]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus trixie "$root/root" >"$root/log" \
        || { tail "$root/log"; exit 1; }
    touch "$root/made"
fi
MYMT5_SYSTEMD_ROOT=$root/root PYTHONDONTWRITEBYTECODE=1 \
    python3 -W ignore -m unittest discover -s deploy/test/systemd "$@"
