#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Files and functions stay short: no file over 700 lines, no function over 80; of all functions, half have
# at most 15 lines and nine of ten at most 40.  A function goes from its name to the brace in column 0.
# Usage: check_sizes.sh [TOP]
set -eu
cd "${1:-$(dirname "$0")/..}"

status=0
complain() { echo "$1"; status=1; }

mapfile -t files < <(find src kernel ext -name '*.[ch]' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no sources under $PWD"; exit 1; }

while read -r lines file; do
	[ "$file" = total ] || [ "$lines" -le 700 ] || complain "$file: $lines lines, more than 700"
done < <(wc -l "${files[@]}")

functions=$(awk '
	FNR == 1 { header = 0; body = 0 }
	/^[A-Za-z_].*\(/ && !/;[[:space:]]*$/ && !body { header = FNR; name = $0 }
	/^\{/ && header { body = 1 }
	/^\}/ && body {
		sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
		print FNR - header + 1, FILENAME, name
		header = 0; body = 0
	}
	/^[}#]/ || /;[[:space:]]*$/ { if (!body) header = 0 }
' "${files[@]}" | sort -n)
count=$(wc -l <<<"$functions")

while read -r lines file name; do
	[ "${lines:-0}" -le 80 ] || complain "$file: $name has $lines lines, more than 80"
done <<<"$functions"

at() { sed -n "$((count * $1 / 100 + 1))p" <<<"$functions" | cut -d' ' -f1; }

if [ "$count" -gt 1 ]; then
	median=$(at 50) p90=$(at 90)
	echo "$count functions, median $median, p90 $p90, longest $(tail -n 1 <<<"$functions")"
	[ "$median" -le 15 ] || complain "the median function has $median lines, more than 15"
	[ "$p90" -le 40 ] || complain "nine of ten functions have up to $p90 lines, more than 40"
fi
exit $status
