/* SPDX-License-Identifier: PostgreSQL */
#include "trace/waitnames.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

/* No server has more; a file that claims to is not to fill our memory. */
#define MAX_NAMES ((size_t)16384)

#define FIRST_VERSION 13
#define VERSIONS 6
#define NONE -1

static const struct row {
	uint8_t class;
	const char *name;
	int16_t number[VERSIONS];	/* of FIRST_VERSION and up */
} rows[] = {
#define W(class, name, ...) { class, name, { __VA_ARGS__ } },
#include "trace/waits.tab"
#undef W
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The first byte of an event: include/utils/wait_event.h and, for 18, wait_classes.h of PostgreSQL. */
static const char *const class_names[] = {
	[0x01] = "LWLock",
	[0x03] = "Lock",
	[0x04] = "BufferPin",
	[0x05] = "Activity",
	[0x06] = "Client",
	[0x07] = "Extension",
	[0x08] = "IPC",
	[0x09] = "Timeout",
	[0x0A] = "IO",
	[0x0B] = "InjectionPoint",
};

static int by_event(const void *a, const void *b)
{
	const struct wait_name *left = a, *right = b;

	return (left->event > right->event) - (left->event < right->event);
}

static const struct wait_name *find(const struct waitnames *names, uint32_t event)
{
	const struct wait_name key = { .event = event };

	return names->count ? bsearch(&key, names->names, names->count, sizeof(key), by_event) : NULL;
}

static const char *class_name(uint32_t event)
{
	size_t class = event >> 24;
	const char *name = class < sizeof(class_names) / sizeof(class_names[0]) ? class_names[class] : NULL;

	return name ? name : "?";
}

/* The table of one version, made from the rows when it is first asked for. */
static const struct waitnames *of_version(uint32_t server_version_num)
{
	static struct wait_name sorted[VERSIONS][ROWS];
	static struct waitnames known[VERSIONS];
	uint32_t version = server_version_num / 10000 - FIRST_VERSION;
	struct waitnames *names;
	size_t i;

	if (version >= VERSIONS)
		return NULL;
	names = &known[version];
	if (names->count)
		return names;
	names->names = sorted[version];
	for (i = 0; i < ROWS; i++)
		if (rows[i].number[version] != NONE)
			names->names[names->count++] = (struct wait_name){
				.event = (uint32_t)rows[i].class << 24 | (uint32_t)rows[i].number[version],
				.type = class_names[rows[i].class],
				.name = rows[i].name,
			};
	qsort(names->names, names->count, sizeof(*names->names), by_event);
	return names;
}

/* One allocation: type, NUL, name, NUL. */
static struct wait_name copy_name(const struct pgt_wait_name *name, const char *text)
{
	char *type = xmalloc((size_t)name->type_length + name->name_length + 2);
	char *own = type + name->type_length + 1;

	memcpy(type, text, name->type_length);
	type[name->type_length] = '\0';
	memcpy(own, text + name->type_length, name->name_length);
	own[name->name_length] = '\0';
	return (struct wait_name){ .event = name->event, .type = type, .name = own };
}

static void free_name(struct wait_name *name)
{
	free((char *)name->type);
}

void waitnames_learn(struct waitnames *names, const struct event *ev)
{
	struct waitnames told = { NULL, 0 };
	struct pgt_wait_name entry;
	const struct wait_name *same;
	const char *text;
	size_t at = 0, old = names->count;

	while (old + told.count < MAX_NAMES && event_next_wait_name(ev, &at, &entry, &text)) {
		if (told.count % 64 == 0)
			told.names = xrealloc(told.names, told.count + 64, sizeof(*told.names));
		told.names[told.count++] = copy_name(&entry, text);
	}
	if (!told.count)
		return;
	/* What is told again goes out of the old names; then the two are one. */
	qsort(told.names, told.count, sizeof(*told.names), by_event);
	names->names = xrealloc(names->names, old + told.count, sizeof(*names->names));
	for (at = 0, names->count = 0; at < old; at++) {
		same = find(&told, names->names[at].event);
		if (same)
			free_name(&names->names[at]);
		else
			names->names[names->count++] = names->names[at];
	}
	memcpy(names->names + names->count, told.names, told.count * sizeof(*told.names));
	names->count += told.count;
	qsort(names->names, names->count, sizeof(*names->names), by_event);
	free(told.names);
}

const char *waitnames_find(const struct waitnames *names, uint32_t server_version_num, uint32_t event,
			   const char **type)
{
	const struct waitnames *known;
	const struct wait_name *name = find(names, event);

	if (!name) {
		known = of_version(server_version_num);
		name = known ? find(known, event) : NULL;
	}
	*type = name ? name->type : class_name(event);
	return name ? name->name : "?";
}

uint32_t waitnames_event(uint32_t server_version_num, const char *name)
{
	const struct waitnames *known = of_version(server_version_num);
	size_t i;

	for (i = 0; known && i < known->count; i++)
		if (!strcmp(known->names[i].name, name))
			return known->names[i].event;
	return 0;
}

void waitnames_release(struct waitnames *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free_name(&names->names[i]);
	free(names->names);
	names->names = NULL;
	names->count = 0;
}
