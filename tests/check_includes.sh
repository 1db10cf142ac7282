#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Includes point one way: each folder may name only the folders (or single headers) in its row.
# Usage: check_includes.sh [TOP]
set -eu
cd "${1:-$(dirname "$0")/..}"

rules='
src/base     base
src/elf      elf base
src/target   target elf base ext/control.h
src/site     site elf base
kernel       kernel base ext/record.h
src/probe    probe base kernel
src/ring     ring probe base kernel
src/stmt     stmt base ext/record.h
src/merge    merge ring stmt base kernel/sample.h ext/record.h
src/trace    trace stmt base ext/record.h out/sink.h
src/out      out trace stmt base ext/record.h
src/cmd      cmd out trace merge stmt ring probe kernel site elf target base ext/record.h ext/control.h
'

status=0
complain() { echo "$1"; status=1; }

may_include()	# FOLDER HEADER
{
	local allowed word

	allowed=$(awk -v folder="$1" '$1 == folder { $1 = ""; print }' <<<"$rules")
	for word in $allowed; do
		case $2 in "$word" | "$word"/*) return 0 ;; esac
	done
	return 1
}

quoted_includes() { sed -n 's/^#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$1"; }

for file in src/*/*.[ch] kernel/*.[ch]; do
	folder=${file%/*}
	grep -q "^$folder " <<<"$rules" || complain "$file: folder $folder has no row in $0"
	for header in $(quoted_includes "$file"); do
		case $header in
		config.h) ;;
		*/*) may_include "$folder" "$header" || complain "$file: must not include $header" ;;
		*) [ -e "$folder/$header" ] || complain "$file: $header is not in its folder" ;;
		esac
	done
done

# The two formats and the sample are for both sides: nothing of PostgreSQL or of ours in them.
for file in ext/record.h ext/control.h; do
	[ -z "$(quoted_includes "$file")" ] || complain "$file: includes more than libc"
done
[ "$(quoted_includes kernel/sample.h)" = ext/record.h ] || complain "kernel/sample.h: includes more than record.h"

# Versions of PostgreSQL are told apart in one place.
for file in $(grep -ls PG_VERSION_NUM ext/*.[ch] src/*/*.[ch]); do
	[ "$file" = ext/compat.h ] || ! grep -q '^#.*PG_VERSION_NUM' "$file" ||
		complain "$file: #if PG_VERSION_NUM belongs in ext/compat.h"
done

exit $status
