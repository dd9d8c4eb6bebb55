#!/usr/bin/env bash
# How the cost of a mailbox grows with the job's shape, in the build of the README's commands: the rows of docs/performance.md.
# `growth.sh [ROUNDS [SIZES...]]`; 5 rounds, and 10 k to 10 M mailboxes, when nothing is said.
#
# Each case is the reference job with one thing changed, ten replications of 100,000 mailboxes on one thread. CPU is that of the
# whole process over that of the reference job in the same round, the median of the rounds; instructions are those of one
# replication more, as valgrind counts them, where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
shift $(($# > 0 ? 1 : 0))
sizes=("$@")
[ $# -gt 0 ] || sizes=(10000 100000 1000000 10000000)
bin=${DRAWDOWN:-target/debug/drawdown}
[ -n "${DRAWDOWN:-}" ] || cargo build --quiet --locked
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
names=()

# scenario NAME MAILBOXES HEADS CLUSTERS [TOML]: the reference job with so much of everything; TOML is said over it, later lines
# of a key winning over earlier ones. Heads share the users, clusters the room.
scenario() {
  local name=$1 n=$2 heads=$3 clusters=$4 more=${5:-}
  names+=("$name")
  {
    echo 'name = "Growth"'; echo 'time_zone = "UTC"'; echo 'as_of = 2012-10-01T00:00:00'; echo 'horizon = "2000 days"'
    awk -v n="$n" -v heads="$heads" -v clusters="$clusters" 'BEGIN {
      for (i = 1; i <= heads; i++)
        printf "[[head]]\nname = \"head-%d\"\ncapacity = \"%.6f op/s\"\nlatency = { points = [[\"100 %%\", \"1 ms\"]] }\n", i, n * 0.02 / heads
      for (i = 1; i <= clusters; i++)
        printf "[[cluster]]\nname = \"nas-%d\"\nrated = \"%.6f TB\"\nfull_at = \"40 %%\"\ningest = \"100 GB/s\"\ncapacity = \"1000000 op/s\"\nlatency = { points = [[\"100 %%\", \"1 ms\"]] }\n", i, n * 697.32e-6 / clusters
    }'
  } >"$folder/$name.toml"
  local list='"head-1"' i split
  for ((i = 2; i <= heads; i++)); do list+=", \"head-$i\""; done
  # In steps of 0.0001 %, which add up.
  split=$(awk -v heads="$heads" 'BEGIN {
    each = int(1e6 / heads)
    printf "head-1 = \"%.4f %%\"", (1e6 - each * (heads - 1)) / 1e4
    for (i = 2; i <= heads; i++) printf ", head-%d = \"%.4f %%\"", i, each / 1e4
  }')
  settings "$name" \
    "population.mailboxes=$n" "population.split={ $split }" 'population.size={ median = "40 MB", sigma = 1.8, max = "10 TB" }' \
    'population.message={ mean = "75 kB" }' 'population.activity="0.009 op/s"' \
    'load.profile={ sine = { amplitude = "55.5555555556 %", peak = "15:00" } }' \
    "cost.head_per_stream=\"$(awk -v n="$n" -v heads="$heads" 'BEGIN { printf "%.6f", n * 1e-4 / heads }') op/s\"" \
    'probe.every="60 s"' 'users.objective="10 ms"' "plan.order.heads=[$list]" 'plan.placement="sequential"' \
    'plan.throttle={ law = "aimd", utilisation = "80 %", start = 16, min = 1, max = 64, every = "60 s", hysteresis = "100 %" }' \
    'plan.move={ stream = "20 MB/s", setup = "2 s", purge_after = "never" }' 'forecast.chance_only=0'
  while IFS= read -r line; do [ -z "$line" ] || settings "$name" "$line"; done <<<"$more"
}

# settings NAME KEY=VALUE...: what is set over the file of that name.
settings() {
  local name=$1
  shift
  printf '%s\0' "$@" >>"$folder/$name.settings"
}

# forecast NAME REPLICATIONS THREADS [COMMAND...]: under a command that counts, where there is one.
forecast() {
  local name=$1 replications=$2 threads=$3 setting words=()
  shift 3
  while IFS= read -r -d '' setting; do words+=(--set "$setting"); done <"$folder/$name.settings"
  "$@" "$bin" forecast "$folder/$name.toml" --no-files --threads "$threads" --replications "$replications" "${words[@]}"
}

# cpu NAME REPLICATIONS: nanoseconds of CPU a mailbox and replication, as the program says.
cpu() { said "$1" "$2" 1 's/.*, \([0-9]*\) ns a mailbox.*/\1/p'; }

# said NAME REPLICATIONS THREADS PATTERN: of the line that says what the forecast took.
said() {
  forecast "$1" "$2" "$3" 2>"$folder/said" >/dev/null || { cat "$folder/said" >&2; exit 1; }
  sed -n "$4" "$folder/said"
}

# instructions NAME REPLICATIONS: of all of it. Valgrind hides what the clock is read by, so that the program ends there, when
# everything has been simulated.
instructions() {
  { forecast "$1" "$2" 1 valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
    --log-file="$folder/log" >/dev/null 2>&1; } 2>/dev/null || true
  sed -n 's/.*I *refs: *//p' "$folder/log" | tr -d ,
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'; }

echo "| mailboxes | CPU a mailbox | over that of the first row |"
echo "|---|---|---|"
for size in "${sizes[@]}"; do scenario "size-$size" "$size" 2 3; done
for ((round = 1; round <= rounds; round++)); do
  for size in "${sizes[@]}"; do
    # As many replications as make a million mailboxes, so that the start of the program weighs the same.
    cpu "size-$size" $((size < 1000000 ? 1000000 / size : 1)) >>"$folder/size-$size.cpu"
  done
done
for size in "${sizes[@]}"; do
  paste "$folder/size-${sizes[0]}.cpu" "$folder/size-$size.cpu" | awk '{ print $2 / $1 }' >"$folder/ratios"
  printf '| %d | %.0f ns | %.2f |\n' "$size" "$(median <"$folder/size-$size.cpu")" "$(median <"$folder/ratios")"
done

names=()
n=100000
throttle() { printf 'plan.throttle={ law = "aimd", utilisation = "80 %%", start = 16, min = 1, max = %s, every = "60 s", hysteresis = "100 %%"%s }' "$1" "${2:-}"; }
weight() { printf 'cost.head_per_stream="%s op/s"' "$(awk -v w="$1" 'BEGIN { print w * 0.01 * 100000 }')"; }
ops=$'cost.head_per_message="1 op"\ncost.cluster_per_message="0.5 op"'
scenario "the reference job" $n 2 3
scenario "4 heads" $n 4 3
scenario "12 heads" $n 12 3
scenario "12 clusters" $n 2 12
scenario "12 heads and 20 clusters, sequential" $n 12 20
scenario "12 heads and 20 clusters, least-filled" $n 12 20 'plan.placement="least-filled"'
scenario "16 streams" $n 2 3 "$(throttle 16)"
scenario "256 streams" $n 2 3 "$(throttle 256)"$'\n'"$(weight 0.001)"
scenario "the throttle fires: a stream weighs four times as much" $n 2 3 "$(weight 0.02)"
scenario "a head's byte rate binds" $n 2 3 "$(throttle 64 ', rate = "400 MB/s"')"
scenario "that and a cluster's ingest bind" $n 2 3 "$(throttle 64 ', rate = "400 MB/s"')"$'\ncluster.nas-1.ingest="300 MB/s"\ncluster.nas-2.ingest="300 MB/s"'
scenario "256 streams, and the rate binds" $n 2 3 "$(throttle 256 ', rate = "800 MB/s"')"$'\n'"$(weight 0.001)"
scenario "copies wait for operations" $n 2 3 "$ops"$'\nhead.head-1.latency={ preset = "specsfs2008-fas3140" }\nhead.head-2.latency={ preset = "specsfs2008-fas3140" }'
scenario "a link of all copies binds" $n 2 3 'link=[{ name = "uplink", capacity = "800 MB/s", stores = ["head-1", "head-2"] }]'
scenario "noise of the load" $n 2 3 'load.noise={ sigma = 0.1, correlation = "3 h" }'
scenario "growth, new accounts and deletions" $n 2 3 $'population.growth="0.1 % / day"\npopulation.new_accounts="100 / day"\npopulation.new_account_size="1 MB"\npopulation.deletions="100 / day"'
scenario "one copy in a hundred fails" $n 2 3 'faults.transient="1 %"'
scenario "old copies are purged after a day" $n 2 3 $'plan.move.purge_after="1 days"\ncost.purge_per_message="2 op"\ncost.purge_rate="2000 / s"'
scenario "smallest first" $n 2 3 'plan.order.within="smallest"'
scenario "twenty times as long, by slower streams" $n 2 3 'plan.move.stream="1 MB/s"'

for ((round = 1; round <= rounds; round++)); do
  for name in "${names[@]}"; do cpu "$name" 10 >>"$folder/$name.cpu"; done
done
echo
echo "| the reference job, 100,000 mailboxes, but | CPU over its | instructions a mailbox | over its |"
echo "|---|---|---|---|"
first=
for name in "${names[@]}"; do
  paste "$folder/${names[0]}.cpu" "$folder/$name.cpu" | awk '{ print $2 / $1 }' >"$folder/ratios"
  counted='| |'
  if command -v valgrind >/dev/null; then
    one=$(instructions "$name" 1)
    two=$(instructions "$name" 2)
    each=$(((two - one) / n))
    first=${first:-$each}
    counted=$(awk -v each="$each" -v first="$first" 'BEGIN { printf "%d | %.2f |", each, each / first }')
  fi
  printf '| %s | %.2f | %s\n' "$name" "$(median <"$folder/ratios")" "$counted"
done

echo
echo "| replications of 10,000 mailboxes, one thread | CPU a mailbox and replication |"
echo "|---|---|"
scenario "small" 10000 2 3
for count in 1 10 100 1000; do printf '| %d | %s ns |\n' "$count" "$(cpu small "$count")"; done

echo
echo "| threads | seconds for 200 replications of 100,000 mailboxes | times as fast |"
echo "|---|---|---|"
for ((round = 1; round <= rounds; round++)); do
  for threads in 1 2; do
    said "the reference job" 200 $threads 's/.* in \([0-9.]*\) s; CPU.*/\1/p' >>"$folder/threads-$threads"
  done
done
paste "$folder/threads-1" "$folder/threads-2" | awk '{ print $1 / $2 }' >"$folder/ratios"
printf '| 1 | %.1f | |\n| 2 | %.1f | %.2f |\n' "$(median <"$folder/threads-1")" "$(median <"$folder/threads-2")" "$(median <"$folder/ratios")"
