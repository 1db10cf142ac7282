# SPDX-License-Identifier: PostgreSQL
# Private throw-away PostgreSQL clusters: a copy of the installed server's files under $PGT_ROOT (the
# server finds its other folders relative to its binary), so that an extension can be installed and
# probes set without touching what is installed; data, socket and log in one folder, no TCP.
#
# Sourced by scripts, or run: cluster.sh {new|start|stop|crash} FOLDER [SETTING...]
#
# Needs: PGT_ROOT, the folder for the copy (owned by root, readable for all).
#
# shellcheck shell=bash

PGT_PORT=55432
: "${PG_CONFIG:=pg_config}"

server_bin() { echo "$PGT_ROOT$("$PG_CONFIG" --bindir)"; }

as_server()
{
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && exec runuser -u postgres -- "$@")
	else
		"$@"
	fi
}

own_by_server() { [ "$(id -u)" -ne 0 ] || chown -R postgres: "$@"; }

# The binaries stay as they were shipped, stripped as they are; LLVM's bitcode is left out.
server_copy()
{
	local dir

	for dir in "$("$PG_CONFIG" --bindir)" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
		mkdir -p "$PGT_ROOT$dir"
		tar -C "$dir" --exclude=./bitcode --exclude=./man --exclude=./pgxs -cf - . | tar -C "$PGT_ROOT$dir" -xf -
	done
	mkdir -m 755 "$PGT_ROOT/template"
	own_by_server "$PGT_ROOT/template"
	as_server "$(server_bin)/initdb" -N -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
		-D "$PGT_ROOT/template/data" >"$PGT_ROOT/initdb.log" 2>&1
}

# cluster_new FOLDER [SETTING...]: a cluster that is not running; a setting is a line of postgresql.conf.
cluster_new()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	chmod 755 "$dir"
	cp -a "$PGT_ROOT/template/data" "$dir/data"
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$dir'" "port = $PGT_PORT" \
			"fsync = off" "max_connections = 20" "autovacuum = off" "jit = off" \
			"max_parallel_workers_per_gather = 0" "log_line_prefix = '%m [%p] '" \
			"pg_trace.printer = '$PGT_ROOT/usr/local/bin/pgtrace-perf'"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >>"$dir/data/postgresql.conf"
	own_by_server "$dir"
}

cluster_start()
{
	as_server "$(server_bin)/pg_ctl" start -s -w -t 30 -D "$1/data" -l "$1/log"
}

cluster_stop()
{
	as_server "$(server_bin)/pg_ctl" stop -s -w -t 30 -m "${2:-fast}" -D "$1/data"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -eu
	command=$1
	shift
	case $command in
	new) cluster_new "$@" ;;
	start) cluster_start "$@" ;;
	stop) cluster_stop "$1" fast ;;
	crash) cluster_stop "$1" immediate ;;
	*) echo "cluster.sh: no command $command" >&2; exit 2 ;;
	esac
fi
