# SPDX-License-Identifier: PostgreSQL
# Installs what is missing on Debian and its relatives, and nothing else.
#
# shellcheck shell=bash

PG_DEFAULT_MAJOR=15

build_packages="gcc make autoconf automake pkg-config libelf-dev libcapstone-dev libpq-dev xz-utils"
test_packages="check clang git python3 man-db"

is_installed()
{
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The server that is there with its headers is good as it is, whatever its version.
server_packages()
{
	local includes

	includes=$(pg_config --includedir-server 2>/dev/null)
	if [ ! -f "$includes/postgres.h" ] || [ ! -x "$(pg_config --bindir)/postgres" ]; then
		echo "postgresql-$PG_DEFAULT_MAJOR postgresql-server-dev-$PG_DEFAULT_MAJOR"
	fi
}

apt_install()
{
	echo "installing: $*"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >>"$LOGS/apt.log" 2>&1 || {
		echo "apt-get could not install $* (see $LOGS/apt.log)" >&2
		return 1
	}
}

# The server's package makes and starts a cluster when it is first installed; nobody asked for one.
# postgresql-common reads the wish from createcluster.conf, which is put back as it was.
apt_install_server()
{
	local conf=/etc/postgresql-common/createcluster.conf status=0

	apt_install postgresql-common || return 1
	cp -p "$conf" "$LOGS/createcluster.conf"
	echo "create_main_cluster = false" >>"$conf"
	apt_install "$@" || status=1
	cp -p "$LOGS/createcluster.conf" "$conf"
	return $status
}

# install_missing PACKAGE...: says what it installs; nothing missing, nothing done.
install_missing()
{
	local package missing="" server

	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
		echo "no apt here: what is missing must be installed by hand" >&2
		return 0
	}
	for package in "$@"; do
		is_installed "$package" || missing="$missing $package"
	done
	server=$(server_packages)
	[ -n "$missing$server" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing:$missing $server; run as root to have them installed" >&2
		return 1
	fi
	apt-get update -q >>"$LOGS/apt.log" 2>&1 || true
	# shellcheck disable=SC2086
	[ -z "$missing" ] || apt_install $missing || return 1
	# shellcheck disable=SC2086
	[ -z "$server" ] || apt_install_server $server
}

# Probes are defined through tracefs.
mount_tracefs()
{
	local where=/sys/kernel/tracing

	[ "$(id -u)" -eq 0 ] || return 0
	[ -e $where/uprobe_events ] && return 0
	echo "mounting tracefs on $where"
	mount -t tracefs tracefs $where
}
