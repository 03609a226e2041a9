#!/usr/bin/env bash
# Holds the units of deploy/systemd against systemd-analyze, and with MYMT5_SYSTEMD=1 tries them under a
# systemd of their own: a Debian 13 in systemd-nspawn, made once in ~/.cache/mymt5/systemd, which takes
# minutes. Needs root and Debian's packages systemd, and for that systemd-container and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    printf 'skipped: systemd: %s\n' "$1"
    [[ ${MYMT5_REQUIRE:-} != 1 ]] || exit 1
    exit 0
}

((EUID == 0)) || skip "not root"
need() {
    command -v "$1" >/dev/null && return
    deploy/test/install.sh "${@:2}" >/dev/null 2>&1 || skip "there is no $1"
}
run() {
    PYTHONPATH=deploy/test PYTHONDONTWRITEBYTECODE=1 \
        python3 -W ignore -m unittest discover -s deploy/test/systemd "$@"
}

need systemd-analyze systemd
if [[ ${MYMT5_SYSTEMD:-} != 1 ]]; then
    run -p test_units.py "$@"
    exit
fi
need systemd-nspawn systemd-container
need debootstrap debootstrap
root=~/.cache/mymt5/systemd
if [[ ! -e $root/made ]]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus trixie "$root/root" >"$root/log" \
        || { tail "$root/log"; exit 1; }
    touch "$root/made"
fi
export MYMT5_SYSTEMD_ROOT=$root/root
run "$@"
