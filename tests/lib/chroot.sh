# SPDX-License-Identifier: PostgreSQL
# A folder with a small Debian of another release, for a server of another version: made once, kept.
#
# shellcheck shell=bash

# The release of Debian that ships a major version of PostgreSQL.
release_of()
{
	case $1 in
	13) echo bullseye ;;
	15) echo bookworm ;;
	17) echo trixie ;;
	18) echo sid ;;
	*) return 1 ;;
	esac
}

# The mirror and the conditions of access are those of this machine's own apt.
debian_mirror()
{
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep '/debian/*$' | sort -u | head -n 1
}

apt_access() { apt-config dump | grep -i '^Acquire::\(http\|https\|Check-Valid-Until\|Check-Date\)\(::Proxy\)\? "'; }

# in_root ROOT COMMAND...: as root, in the folder as a container has it: its own root of its own mounts, /proc, /dev/shm;
# they go when the last process in it ends.
in_root()
{
	local root=$1

	shift
	unshare --mount --propagation private sh -ec '
		mount --bind "$1" "$1"
		cd "$1"
		shift
		mount -t proc proc proc
		mkdir -p dev/shm
		mount -t tmpfs -o mode=1777 tmpfs dev/shm
		pivot_root . .
		umount -l .
		exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive chroot . "$@"' sh "$root" "$@"
}

# No service is started, no cluster is made: what is in the folder is files.
root_refuse_services()
{
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod 755 "$1/usr/sbin/policy-rc.d"
	mkdir -p "$1/etc/postgresql-common"
	echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"
}

# root_make VERSION ROOT: takes minutes and a gigabyte the first time; what is half done is begun anew.
root_make()
{
	local version=$1 root=$2 release mirror

	[ ! -e "$root/.ready" ] || return 0
	release=$(release_of "$version") && mirror=$(debian_mirror) || return 1
	[ -n "$mirror" ] || { echo "apt knows no Debian mirror"; return 1; }
	rm -rf "$root"
	mkdir -p "$root"
	debootstrap --variant=minbase "$release" "$root" "$mirror" || return 1
	root_refuse_services "$root"
	apt_access >"$root/etc/apt/apt.conf.d/99access"
	in_root "$root" apt-get update -q || return 1
	in_root "$root" apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold \
		"postgresql-$version" "postgresql-server-dev-$version" \
		gcc make pkg-config libc6-dev libelf-dev libcapstone-dev || return 1
	in_root "$root" apt-get clean
	touch "$root/.ready"
}

# --- clusters in such a folder -----------------------------------------------
#
# The same commands as cluster.sh has, for the server in $PGT_ROOT.  FOLDER is a path of this machine below
# $PGT_ROOT.  The server has its own root and its own mounts; processes and the network are the machine's.

PGT_PORT=55432

inside() { echo "${1#"$PGT_ROOT"}"; }
root_version() { basename "$(dirname "$(echo "$PGT_ROOT"/usr/lib/postgresql/*/bin)")"; }
as_server() { in_root "$PGT_ROOT" runuser -u postgres -- "$@"; }
pg_ctl() { as_server "/usr/lib/postgresql/$(root_version)/bin/pg_ctl" "$@"; }

# The account of the server in the folder: its number is not the one it has here.
own_by_server() { chown -R "$(awk -F: '$1 == "postgres" { print $3 ":" $4 }' "$PGT_ROOT/etc/passwd")" "$@"; }

# The data folder that every new cluster is a copy of.
template_new()
{
	local dir=$PGT_ROOT/srv/template

	rm -rf "$dir"
	mkdir -m 755 "$dir"
	own_by_server "$dir"
	as_server "/usr/lib/postgresql/$(root_version)/bin/initdb" -N -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
		-D "$(inside "$dir")/data"
}

# 17 and later read several blocks in one call, 18 lets other processes read: one block a call, so that blocks and
# waits can be compared.  A test that wants what the server does by itself says so in its settings.
version_settings()
{
	[ "$1" -lt 17 ] || echo "io_combine_limit = 1"
	[ "$1" -lt 18 ] || echo "io_method = sync"
}

# cluster_new FOLDER [SETTING...]
cluster_new()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	chmod 755 "$dir"
	cp -a "$PGT_ROOT/srv/template/data" "$dir/data"
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$(inside "$dir")'" "port = $PGT_PORT" \
			"fsync = off" "max_connections = 20" "autovacuum = off" "jit = off" \
			"max_parallel_workers_per_gather = 0" "log_line_prefix = '%m [%p] '" \
			"pg_trace.printer = '/opt/pgtrace/bin/pgtrace-perf'"
		version_settings "$(root_version)"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >>"$dir/data/postgresql.conf"
	own_by_server "$dir"
}

cluster_start() { pg_ctl start -s -w -t 30 -D "$(inside "$1")/data" -l "$(inside "$1")/log"; }
cluster_stop() { pg_ctl stop -s -w -t 30 -m "$2" -D "$(inside "$1")/data"; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -eu
	command=$1
	shift
	case $command in
	new) cluster_new "$@" ;;
	start) cluster_start "$@" ;;
	stop) cluster_stop "$1" fast ;;
	crash) cluster_stop "$1" immediate ;;
	*) echo "chroot.sh: no command $command" >&2; exit 2 ;;
	esac
fi
