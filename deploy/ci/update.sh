#!/usr/bin/env bash
# Updates what we depend on, and runs the tests: Cargo.lock, the Python of CI (requirements.txt) and its
# buf and pm2 (package-lock.json), each to the newest version that has been out for two weeks; and tells
# whether the bridge's package has a newer one.
#
#     deploy/ci/update.sh              # afterwards: read the diff, and commit
#     deploy/ci/update.sh --dry-run    # in a copy: shows what would change, and leaves this tree alone
#
# It needs cargo, npm, python3 and their registries. The bridge's own pins are changed by hand: a new
# MetaTrader5 is tried against a terminal first (deploy/terminal/README.md).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ${1:-} == --dry-run ]]; then
    git ls-files -z | xargs -0 cp --parents -t "$work"
    "$work/deploy/ci/update.sh" --no-tests
    for file in Cargo.lock deploy/ci/requirements.txt deploy/ci/package-lock.json; do
        diff -u "$file" "$work/$file" || true
    done
    exit
fi

days=$(python3 -c 'import tomllib; print(tomllib.load(open("deploy/ci/dependencies.toml", "rb"))["minimum_age_days"])')
before=$(date -u -d "-$days days" +%Y-%m-%dT%H:%M:%SZ)

echo "== crates" >&2
cargo update --quiet
# Of the three that idna lets one choose from, the tables that build fast: fifteen crates fewer.
cargo update --quiet -p idna_adapter --precise 1.1.0
deploy/ci/dependencies.py --lower

echo "== packages" >&2
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet uv
(
    cd deploy/ci
    "$work/venv/bin/uv" pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
        --exclude-newer "$before" --no-annotate --no-header --output-file requirements.txt requirements.in
    npm update --silent --package-lock-only --ignore-scripts --before="$before"
)
pinned=$(sed -n 's/^MetaTrader5==\([^ ]*\).*/\1/p' gateway/bridge/requirements.txt)
echo "the bridge has MetaTrader5 $pinned; the registry has:" >&2
"$work/venv/bin/uv" pip compile --quiet --no-header --no-annotate --exclude-newer "$before" \
    --python-platform windows --python-version 3.11 - <<<MetaTrader5 >&2

if [[ ${1:-} != --no-tests ]]; then
    deploy/ci/dependencies.py
    cargo test --locked --workspace
fi
