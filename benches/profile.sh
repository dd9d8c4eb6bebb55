#!/usr/bin/env bash
# Where the instructions of the reference job go, by source file, in the build of the README's commands: the rows of
# docs/performance.md. `profile.sh [SETTING...]`, settings as `--set` takes them. Needs valgrind. Code of ours that was inlined counts
# where it is written, which the debug information tells; that of the standard library and of other crates counts for the source whose
# instructions come before it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${DRAWDOWN:-target/debug/drawdown}
[ -n "${DRAWDOWN:-}" ] || CARGO_PROFILE_DEV_DEBUG=line-tables-only cargo build --quiet --locked
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
settings=(population.mailboxes=100000 "cost.head_per_stream=5 op/s")
for head in head-1 head-2; do settings+=("head.$head.capacity=1000 op/s"); done
for cluster in nas-1 nas-2 nas-3; do settings+=("cluster.$cluster.rated=23.244 TB"); done
words=()
for setting in "${settings[@]}" "$@"; do words+=(--set "$setting"); done
# Three replications, so that reading the scenario hardly counts. Valgrind hides what the clock is read by, so that the program ends
# there, when all has been simulated.
{ valgrind --tool=callgrind --dump-instr=yes --callgrind-out-file="$folder/out" "$bin" forecast scenarios/drain-reference.toml \
  --no-files --quiet --threads 1 --replications 3 "${words[@]}" >/dev/null 2>&1; } 2>/dev/null || true
echo "| layer, source | share of the instructions |"
echo "|---|---|"
awk '
  # The name of a file, which is written out where it comes up first: "fi=(12) name", later "fi=(12)".
  function name(text,  id) {
    id = text
    sub(/^[^(]*\(/, "", id); sub(/\).*/, "", id)
    if (text ~ /\) /) { sub(/^[^)]*\) /, "", text); known[id] = text }
    return known[id]
  }
  # Ours, without the folders before it; empty for others.
  function ours(file) {
    if (file ~ /\.cargo|\/rustc\/|library\// || file !~ /(^|\/)src\/[a-z_\/]+\.rs$/) return ""
    sub(/^.*\/src\//, "src/", file)
    return file
  }
  /^(fl|fi|fe)=/ { file = ours(name($0)); if (/^fl=/) owner = "elsewhere"; if (file != "") owner = file; next }
  /^(cfi|cfl)=/ { name($0); next }
  /^calls=/ { getline; next }
  /^(0x|\+|\*|-)/ { sum[owner] += $NF; total += $NF }
  END {
    for (file in sum) { layer = file; sub(/^src\//, "", layer); sub(/[\/.].*/, "", layer); layers[layer] += sum[file] }
    for (layer in layers) if (layers[layer] >= 0.01 * total) printf "| **%s** | %.1f %% |\n", layer, 100 * layers[layer] / total
    for (file in sum) if (file ~ /\.rs$/ && sum[file] >= 0.01 * total) printf "| `%s` | %.1f %% |\n", file, 100 * sum[file] / total
  }' "$folder/out" |
  sort -t'|' -k3,3rn
