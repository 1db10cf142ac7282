/* SPDX-License-Identifier: PostgreSQL */
#include "probe/orphan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "probe/probe.h"
#include "probe/tracefs.h"

bool process_start(pid_t pid, uint64_t *start)
{
	char path[64], text[1024], state;
	const char *rest;
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* The name may hold anything; state is field 3, after its last parenthesis. */
	rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			      "%*s %*s %*s %*s %*s %*s %" SCNu64, &state, start) == 2 &&
	       state != 'Z' && state != 'X';
}

bool orphan_parse(const char *line, struct orphan_name *out)
{
	int pid, used = 0;

	if (sscanf(line, "%*[pr]:%63[a-z0-9_]/%63[A-Za-z0-9_]", out->group, out->event) != 2 ||
	    sscanf(out->group, ORPHAN_PREFIX "%d_%" SCNu64 "%n", &pid, &out->start, &used) != 2 ||
	    out->group[used] || pid <= 0)
		return false;
	out->pid = pid;
	return true;
}

static bool is_orphan(const struct orphan_name *name)
{
	uint64_t start;

	return !process_start(name->pid, &start) || start != name->start;
}

static int read_definitions(struct strbuf *out)
{
	const char *root = tracefs_path();
	char path[512], chunk[4096];
	FILE *file;
	size_t got;

	if (!root)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/uprobe_events", root);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while ((got = fread(chunk, 1, sizeof(chunk), file)))
		strbuf_add(out, chunk, got);
	fclose(file);
	return 0;
}

/*
 * An event that somebody still has open is EBUSY and stays: so even a collector whose pid
 * we cannot see (it runs in another pid namespace) does not lose what it uses.
 */
static int sweep(int fd, char *definitions, unsigned patience_ms)
{
	char *line, *rest = definitions;
	struct orphan_name name;
	int removed = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!orphan_parse(line, &name) || !is_orphan(&name))
			continue;
		if (uprobe_events_remove(fd, name.group, name.event, patience_ms) == 0)
			removed++;
		else
			log_verbose("%s/%s of a collector that is gone cannot be removed",
				    name.group, name.event);
	}
	return removed;
}

int probe_sweep_orphans(unsigned patience_ms)
{
	struct strbuf definitions = STRBUF_INIT;
	int fd, result = read_definitions(&definitions);

	if (result == 0 && strstr(definitions.text, ORPHAN_PREFIX)) {
		fd = uprobe_events_open();
		result = fd < 0 ? -EACCES : sweep(fd, definitions.text, patience_ms);
		if (fd >= 0)
			close(fd);
	}
	strbuf_release(&definitions);
	return result;
}
