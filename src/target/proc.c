/* SPDX-License-Identifier: PostgreSQL */
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"

ssize_t proc_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t used = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		got = read(fd, text + used, size - 1 - used);
		if (got < 0) {
			int saved = errno;

			close(fd);
			return -saved;
		}
		if (got == 0)
			break;
		used += got;
	}
	close(fd);
	text[used] = '\0';
	return used;
}

char *proc_link(pid_t pid, const char *name)
{
	char path[64], target[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = readlink(path, target, sizeof(target));
	return length < 0 ? NULL : xmemdup0(target, length);
}

/*
 * The fields of stat from the third on; the second, the command in parentheses, may hold
 * blanks and parentheses itself, so they are counted from the last one.
 */
static const char *stat_field(const char *stat, int number)
{
	const char *at = strrchr(stat, ')');
	int field;

	for (field = 2; at && field < number; field++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at;
}

static uint64_t stat_number(pid_t pid, int number)
{
	char text[1024];
	const char *at;

	if (proc_read(pid, "stat", text, sizeof(text)) < 0)
		return 0;
	at = stat_field(text, number);
	return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t proc_start_ticks(pid_t pid)
{
	return stat_number(pid, 22);
}

pid_t proc_parent(pid_t pid)
{
	return (pid_t)stat_number(pid, 4);
}

pid_t proc_own_pid(pid_t pid)
{
	char text[8192];
	const char *line, *last;

	if (proc_read(pid, "status", text, sizeof(text)) < 0)
		return pid;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return pid;
	line += 7;
	last = line + strcspn(line, "\n");
	while (last > line && last[-1] != '\t' && last[-1] != ' ')
		last--;
	return (pid_t)strtol(last, NULL, 10);
}

/* One line: "55d0c000-55d0d000 r-xp 000ce000 fe:00 1234   /usr/lib/.../postgres". */
static bool parse_map(char *line, struct proc_map *map)
{
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
		   &map->start, &map->end, &map->offset, &map->inode, &path_at) < 4 || !path_at)
		return false;
	map->path = line + path_at;
	return map->path[0] == '/';
}

int proc_each_map(pid_t pid, bool (*fn)(const struct proc_map *map, void *arg), void *arg)
{
	char path[64];
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	bool more = true;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (more && getline(&line, &size, file) > 0) {
		struct proc_map map;

		line[strcspn(line, "\n")] = '\0';
		if (parse_map(line, &map))
			more = fn(&map, arg);
	}
	free(line);
	fclose(file);
	return 0;
}
