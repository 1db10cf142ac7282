# SPDX-License-Identifier: PostgreSQL
# How a check says what became of it: one line on standard output, kept in $RESULTS too.
#
# shellcheck shell=bash

result()
{
	printf '%s\n' "$*"
	[ -z "${RESULTS:-}" ] || printf '%s\n' "$*" >>"$RESULTS"
}

ok() { result "ok $1"; }
fail() { result "FAIL $1: $2"; }
skip() { result "skip $1: $2"; }

# check NAME COMMAND...: ok if the command ends well; what it says goes to $LOGS/NAME.log.
check()
{
	local name=$1 log=$LOGS/${1//[: \/]/_}.log

	shift
	if "$@" >"$log" 2>&1 </dev/null; then
		ok "$name"
	else
		fail "$name" "status $?, $(tail -n 1 "$log" | cut -c 1-200) (see $log)"
		return 1
	fi
}

# The very last line, and the exit status.
summary()
{
	local passed failed skipped

	passed=$(grep -c '^ok ' "$RESULTS")
	failed=$(grep -c '^FAIL ' "$RESULTS")
	skipped=$(grep -c '^skip ' "$RESULTS")
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
