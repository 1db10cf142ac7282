#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Each header compiles by itself.
# Usage: check_headers.sh [TOP]; CC and PG_CONFIG as for the build.
set -eu
cd "${1:-$(dirname "$0")/..}"

status=0
: "${CC:=cc}"
pg_include=$("${PG_CONFIG:-pg_config}" --includedir-server 2>/dev/null || true)

compiles() { "$CC" -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -D_GNU_SOURCE -x c -I. -Isrc "$@"; }

for header in src/*/*.h kernel/*.h ext/record.h ext/control.h tests/lib/*.h; do
	[ -e "$header" ] || continue
	compiles "$header" || { echo "$header: does not stand alone"; status=1; }
done

# PostgreSQL's rule is that postgres.h comes first in each .c file, and never in a header.
for header in ext/*.h; do
	case $header in ext/record.h | ext/control.h) continue ;; esac
	[ -e "$header" ] && [ -f "$pg_include/postgres.h" ] || continue
	compiles -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Iext -I"$pg_include" \
		-include postgres.h "$header" || { echo "$header: does not stand alone after postgres.h"; status=1; }
done
exit $status
