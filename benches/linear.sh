#!/usr/bin/env bash
# How the reference job's cost grows with the number of mailboxes, in the build of the README's commands: heads, clusters
# and the weight of a stream grow with it, so that the load stays the same. Sizes as arguments; 10 k to 10 M without.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet
sizes=("$@")
[ $# -gt 0 ] || sizes=(10000 100000 1000000 10000000)
for size in "${sizes[@]}"; do
  scaled() { awk -v size="$size" -v full="$1" 'BEGIN { printf "%.8f", full * size / 1e6 }'; }
  settings=(--set "population.mailboxes=$size" --set "horizon=400 days" --set "cost.head_per_stream=$(scaled 50) op/s")
  for head in head-1 head-2; do settings+=(--set "head.$head.capacity=$(scaled 10000) op/s"); done
  for cluster in nas-1 nas-2 nas-3; do settings+=(--set "cluster.$cluster.rated=$(scaled 232.44) TB"); done
  # As many replications as make a million mailboxes, so that the start of the program weighs the same.
  replications=$((size < 1000000 ? 1000000 / size : 1))
  target/debug/drawdown forecast scenarios/drain-reference.toml --no-files --threads 1 \
    --replications "$replications" "${settings[@]}" 2>&1 >/dev/null | grep CPU
done
