#!/usr/bin/env bash
# Runs each command of docs/performance.md again and puts what it prints in the place of what it printed then. On a machine that does
# nothing else: a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/performance.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
cargo build --quiet --locked
old=
while IFS= read -r line; do
  case $line in
    '<!-- output of: '*' -->')
      command=${line#<!-- output of: }
      printf '%s\n\n' "$line"
      bash -c "${command% -->}" </dev/null
      echo
      old=1
      ;;
    '<!-- end -->')
      old=
      echo "$line"
      ;;
    *) [ -n "$old" ] || echo "$line" ;;
  esac
done <"$page" >"$new"
cat "$new" >"$page"
