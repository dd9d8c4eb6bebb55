#!/usr/bin/env bash
# The reference job, written for other frameworks and by hand, beside drawdown: builds all, runs all in turn, checks that they agree
# on when the job is done, and prints what each takes. `run.sh [MAILBOXES [ROUNDS]]`; a million and five when nothing is said. With
# COUNT=1 instructions are counted, too, by valgrind. SimPy needs Python 3 with venv. drawdown is that of the README's commands, or the
# program that DRAWDOWN names.
set -euo pipefail
cd "$(dirname "$0")"
mailboxes=${1:-1000000}
rounds=${2:-5}
root=$(cd ../.. && pwd)
drawdown=${DRAWDOWN:-$root/target/debug/drawdown}
[ -n "${DRAWDOWN:-}" ] || cargo build --quiet --locked --manifest-path "$root/Cargo.toml"
cargo build --quiet --locked --release
venv=target/venv
python=$venv/bin/python
if ! "$python" -c 'import simpy' 2>/dev/null; then
  rm -rf "$venv"
  { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt; } ||
    { python=; echo "SimPy is left out: it needs Python 3 with venv" >&2; }
fi
work=target/job
rm -rf "$work"
make() {
  target/release/sizes "$2" "$3" "$work/$1"
  cp "$root/scenarios/drain-reference.toml" "$work/$1/"
}
make reference "$mailboxes" 0.005
make throttled "$mailboxes" 0.02
make small 1000 0.005
[ -z "${COUNT:-}" ] || make counted 20000 0.005
target/release/measure "$mailboxes" "$rounds" "$drawdown" "$python" "$work"
