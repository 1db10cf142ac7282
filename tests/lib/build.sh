# SPDX-License-Identifier: PostgreSQL
# Builds out of tree, from a copy of the sources, so that a checkout stays as it is.
#
# shellcheck shell=bash

# copy_sources TOP DEST: what git knows or could know; without git, all there is.
copy_sources()
{
	local top=$1 dest=$2

	mkdir -p "$dest"
	if [ -e "$top/.git" ] && command -v git >/dev/null; then
		git -c safe.directory='*' -C "$top" ls-files -z --cached --others --exclude-standard |
			(cd "$top" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh) |
			tar -C "$top" --null -T - -cf - | tar -C "$dest" -xf -
	else
		tar -C "$top" --exclude='*.o' --exclude=./config.status --exclude=./Makefile -cf - . |
			tar -C "$dest" -xf -
	fi
	[ -x "$dest/configure" ] || (cd "$dest" && autoreconf -i)
}

# configure_and_make SOURCES BUILD [CONFIGURE-OPTION...]
configure_and_make()
{
	local sources=$1 build=$2

	shift 2
	mkdir -p "$build"
	(cd "$build" && "$sources/configure" "$@" && make -s -j"$(nproc)")
}
