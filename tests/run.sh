#!/bin/bash
# Builds and runs every test project, one after the other, where nothing they make can stay behind (tests/lab.sh).
# Ends with one line: N passed, N failed. A skipped test counts as failed: a missing prerequisite must be said, not passed over.
set -uo pipefail
cd "$(dirname "$0")/.."

projects=(tests/*.Tests)
passed=0
failed=0

for project in "${projects[@]}"; do
	name=${project#tests/}
	echo "== $name"
	if ! dotnet msbuild "$project" -restore -verbosity:quiet -nodeReuse:false; then
		echo "$name does not build" >&2
		failed=$((failed + 1))
		continue
	fi
	log=out/test/$name.log
	mkdir -p out/test
	timeout --foreground --kill-after=30 600 tests/lab.sh "out/build/bin/$name/debug/$name" -noColor "$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	# "Total: 72, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0, Time: 4.158s"
	read -r total errors bad skipped < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' "$log" | tail -n 1) || true
	if [[ -z ${total:-} ]]; then
		echo "$name ended with code $status and no result" >&2
		failed=$((failed + 1))
		continue
	fi
	wrong=$((bad + errors + skipped))
	# A test program that fails although no test of it did has failed, too.
	[[ $wrong -eq 0 && $status -ne 0 ]] && wrong=1
	passed=$((passed + total - bad - skipped))
	failed=$((failed + wrong))
	unset total
done

echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
