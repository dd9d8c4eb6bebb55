#!/usr/bin/env bash
# Instructions a mailbox, in the build of the README's commands, under valgrind: the same on a busy machine and a quiet one.
# Compared with what is recorded in benches/instructions.txt; 5 % more is a failure. `--record` records them anew, after a change
# that is worth it or with another compiler: the figures are those of one.
set -euo pipefail
cd "$(dirname "$0")/.."
recorded=benches/instructions.txt
cargo build --quiet --locked
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# measure NAME MAILBOXES FORECAST...: MAILBOXES are those of all its replications.
measured=()
measure() {
  local name=$1 mailboxes=$2 count
  shift 2
  # Valgrind hides what rustix reads the clock by, so that the program ends there, when all has been simulated.
  { valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file="$folder/log" \
    target/debug/drawdown forecast "$@" --no-files --quiet --threads 1 >"$folder/out" 2>&1; } 2>/dev/null || true
  count=$(sed -n 's/.*I *refs: *//p' "$folder/log" | tr -d ,)
  [ -n "$count" ] || { cat "$folder/log" "$folder/out" >&2; exit 1; }
  measured+=("$name $((count / mailboxes))")
}

# The reference job with a tenth of everything; and with heads on which the throttle has to slow down.
reference=(scenarios/drain-reference.toml --set population.mailboxes=100000 --set "cost.head_per_stream=5 op/s")
for cluster in nas-1 nas-2 nas-3; do reference+=(--set "cluster.$cluster.rated=23.244 TB"); done
heads() { for head in head-1 head-2; do printf '%s\n' --set "head.$head.capacity=$1 op/s"; done; }
mapfile -t ample < <(heads 1000)
mapfile -t scarce < <(heads 400)
measure reference 100000 "${reference[@]}" "${ample[@]}"
measure reference-throttled 100000 "${reference[@]}" "${scarce[@]}"
# One replication with its inputs drawn, and one with every input at its middle.
measure founding 800000 scenarios/opensrs-cluster-b.toml --replications 1

if [ "${1:-}" = --record ]; then
  printf '%s\n' "${measured[@]}" >"$recorded"
  cat "$recorded"
  exit
fi
worse=0
for line in "${measured[@]}"; do
  read -r name count <<<"$line"
  before=$(awk -v name="$name" '$1 == name { print $2 }' "$recorded")
  [ -n "$before" ] || { echo "$name is not in $recorded" >&2; exit 1; }
  printf '%-20s %6d instructions a mailbox, %+.1f %% of the recorded %d\n' "$name" "$count" \
    "$(awk -v now="$count" -v before="$before" 'BEGIN { print (now / before - 1) * 100 }')" "$before"
  [ $((count * 100)) -le $((before * 105)) ] || worse=1
done
[ $worse = 0 ] || { echo "more than 5 % worse than recorded" >&2; exit 1; }
