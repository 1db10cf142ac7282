/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/modules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "cmd/attach.h"
#include "target/proc.h"

struct look {
	struct attachment *at;
	struct strbuf *news;
	size_t defined;
};

static bool is_known(const struct modules *modules, uint64_t inode)
{
	size_t i;

	for (i = 0; i < modules->count; i++)
		if (modules->inodes[i] == inode)
			return true;
	return false;
}

static void remember(struct modules *modules, uint64_t inode)
{
	modules->inodes = xrealloc(modules->inodes, modules->count + 1, sizeof(*modules->inodes));
	modules->inodes[modules->count++] = inode;
}

static void say(struct look *look, const char *path, const char *what)
{
	strbuf_addf(look->news, "%s%s %s", look->news->length ? "; " : "", path, what);
}

/* Probes for the sites of an object that refers to the server's pointer. */
static void probe_sites(struct look *look, const struct image *image, const char *file, const char *name)
{
	struct site_list sites;
	struct probe *probes;
	size_t count;
	char text[128];

	if (site_find(image, &sites)) {
		site_list_release(&sites);
		say(look, name, "may wait by itself, and that cannot be seen");
		return;
	}
	probes = xcalloc(sites.count + 1, sizeof(*probes));
	count = probes_of_sites(&sites, image, false, probes);
	if (count && probe_set_define(look->at->set, file, probes, count)) {
		say(look, name, "waits by itself, and that cannot be seen");
	} else if (count || sites.gap_count) {
		look->defined += count;
		snprintf(text, sizeof(text), "waits by itself: %zu probes, %zu references could not be followed",
			 count, sites.gap_count);
		say(look, name, text);
	}
	free(probes);
	site_list_release(&sites);
}

/*
 * By map_files, so that an object is found whose file has been replaced since, and in whatever mount
 * namespace the process is.
 */
static bool look_at_map(const struct proc_map *map, void *arg)
{
	struct look *look = arg;
	struct attachment *at = look->at;
	struct image *image;
	char file[96];
	uint64_t word;

	if (map->offset || !strstr(map->path, ".so") || is_known(&at->modules, map->inode))
		return true;
	remember(&at->modules, map->inode);
	snprintf(file, sizeof(file), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)at->target.pid, map->start,
		 map->end);
	image = image_open(file);
	if (image && image_symbol_words(image, at->sites.symbol, &word, 1))
		probe_sites(look, image, file, map->path);
	image_free(image);
	return true;
}

size_t modules_look(struct attachment *at, struct strbuf *news)
{
	struct look look = { at, news, 0 };
	int error;

	if (!at->source->uses_sites)
		return 0;
	error = proc_each_map(at->target.pid, look_at_map, &look);
	if (error)
		log_verbose("/proc/%d/maps: %s", (int)at->target.pid, strerror(-error));
	return look.defined;
}

void modules_release(struct modules *modules)
{
	free(modules->inodes);
	memset(modules, 0, sizeof(*modules));
}
