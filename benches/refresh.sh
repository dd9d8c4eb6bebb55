#!/usr/bin/env bash
# Runs each command of docs/performance.md again and puts what it prints in the place of what it printed then. On a machine that does
# nothing else: a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/performance.md
cargo build --quiet --locked
awk '
  /^<!-- output of: .* -->$/ {
    print
    command = $0
    sub(/^<!-- output of: /, "", command); sub(/ -->$/, "", command)
    print "\n"
    while ((command " || echo failed" | getline line) > 0) { if (line == "failed") exit 1; print line }
    close(command " || echo failed")
    print ""
    old = 1
    next
  }
  /^<!-- end -->$/ { old = 0 }
  !old' "$page" | cat -s >"$page.new"
grep -q '^<!-- the last line -->$' "$page.new" || { rm "$page.new"; echo "a command failed" >&2; exit 1; }
mv "$page.new" "$page"
