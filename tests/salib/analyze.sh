#!/usr/bin/env bash
# SALib's answers to samples and their outputs: JSON on stdin, JSON on stdout. SALib is installed the first time, into an
# environment of its own below target/. Needs Python 3.10 or newer with venv, and a package registry.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
environment="$here/../../target/salib"
if ! "$environment/bin/python" -c 'import SALib' 2>/dev/null; then
  python3 -m venv --clear "$environment" >&2
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
fi
exec "$environment/bin/python" "$here/analyze.py"
