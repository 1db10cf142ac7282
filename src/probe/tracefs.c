/* SPDX-License-Identifier: PostgreSQL */
#include "probe/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "probe/orphan.h"
#include "probe/probe.h"

#define REMOVE_PAUSE_MS 2

static bool is_tracefs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == TRACEFS_MAGIC;
}

/* Wherever else it may be mounted. */
static bool find_in_mounts(char *out, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	if (!mounts)
		return false;
	while (!found && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "tracefs") && is_tracefs(entry->mnt_dir)) {
			snprintf(out, size, "%s", entry->mnt_dir);
			found = true;
		}
	endmntent(mounts);
	return found;
}

const char *tracefs_path(void)
{
	static char elsewhere[256];
	static const char *const usual[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	size_t i;

	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (is_tracefs(usual[i]))
			return usual[i];
	return find_in_mounts(elsewhere, sizeof(elsewhere)) ? elsewhere : NULL;
}

char *uprobe_group(char *out)
{
	uint64_t start = 0;

	process_start(getpid(), &start);
	snprintf(out, GROUP_SIZE, ORPHAN_PREFIX "%d_%" PRIu64, (int)getpid(), start);
	return out;
}

static int cannot_open(const char *path, int error)
{
	static const char see[] = "(see 'pgtrace-perf doctor': uprobe_events writable)";

	if (error == EACCES || error == EPERM)
		return log_error("no right to write %s: run as root; under lockdown=confidentiality "
				 "root has none either %s", path, see);
	if (error == ENOENT)
		return log_error("%s is not there: this kernel has no CONFIG_UPROBE_EVENTS %s",
				 path, see);
	return log_error("cannot open %s: %s %s", path, strerror(error), see);
}

int uprobe_events_open(void)
{
	const char *root = tracefs_path();
	char path[512];
	int fd;

	if (!root && geteuid() != 0)	/* debugfs hides it from others */
		return log_error("tracefs cannot be reached: run as root "
				 "(see 'pgtrace-perf doctor': privilege)");
	if (!root)
		return log_error("tracefs is not mounted: mount -t tracefs tracefs "
				 "/sys/kernel/tracing (see 'pgtrace-perf doctor': tracefs mounted)");
	snprintf(path, sizeof(path), "%s/uprobe_events", root);
	/* Never O_TRUNC: that removes the definitions of everybody. */
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd >= 0 ? fd : cannot_open(path, errno);
}

int uprobe_events_write(int fd, const char *line)
{
	size_t length = strlen(line);
	ssize_t written = write(fd, line, length);

	if (written < 0)
		return -errno;
	return (size_t)written == length ? 0 : -EIO;
}

int uprobe_events_remove(int fd, const char *group, const char *event, unsigned patience_ms)
{
	unsigned waited;
	char line[160];
	int error;

	snprintf(line, sizeof(line), "-:%s/%s\n", group, event);
	for (waited = 0;; waited += REMOVE_PAUSE_MS) {
		error = uprobe_events_write(fd, line);
		if (error != -EBUSY || waited >= patience_ms)
			return error;
		usleep(REMOVE_PAUSE_MS * 1000);
	}
}

int uprobe_event_id(const char *group, const char *event)
{
	char path[512], text[24];
	ssize_t length;
	int fd, error;

	snprintf(path, sizeof(path), "%s/events/%s/%s/id", tracefs_path(), group, event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	error = length < 0 ? -errno : 0;
	close(fd);
	if (error)
		return error;
	text[length] = '\0';
	return atoi(text) > 0 ? atoi(text) : -EINVAL;
}
