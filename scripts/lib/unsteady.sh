# Shared by scripts/test: which tests passed at the second try only, over the last runs.

unsteady_runs=out/test-runs
unsteady_kept=10

# keep_unsteady NAME... – note what was unsteady in this run, nothing included, and forget the oldest runs.
keep_unsteady() {
    local file
    file="$unsteady_runs/$(date -u +%Y%m%dT%H%M%S%N)"
    mkdir -p "$unsteady_runs"
    : >"$file"
    [ $# = 0 ] || printf '%s\n' "$@" >"$file"
    find "$unsteady_runs" -type f | sort | head -n "-$unsteady_kept" | xargs -r rm -f --
}

# Each name with how often, the most frequent first.
count_unsteady() {
    local times name runs
    runs="$(find "$unsteady_runs" -type f | wc -l)"
    find "$unsteady_runs" -type f -exec cat {} + | sort | uniq -c | sort -rn | while read -r times name; do
        printf 'unsteady over the last %d runs: %s, %d times\n' "$runs" "$name" "$times"
    done
}
