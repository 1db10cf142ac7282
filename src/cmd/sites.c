/* SPDX-License-Identifier: PostgreSQL */
/* pgtrace-perf sites BINARY: what the site finder finds, for people. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "site/site.h"

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: pgtrace-perf sites BINARY\n"
		"Prints where a PostgreSQL server (or a module of one) reports the start and end of waits,\n"
		"the instruction that a probe would be put on, and what could not be followed.\n\n"
		"  -h, --help  this text\n\n"
		"BINARY may be /proc/PID/exe.  Columns: address of the store, of the probe, the probe's\n"
		"offset in the file, role, event, what a hit costs (emulated is cheap, stepped is\n"
		"not), function, instruction probed.\n\n"
		"Exit status: 0 well, 1 failure, 2 wrong usage.\n");
}

/* Class byte of a wait event (src/include/utils/wait_event.h, wait_classes.h). */
static const char *class_name(uint32_t event)
{
	static const char *const names[] = {
		[0x01] = "LWLock", [0x03] = "Lock", [0x04] = "BufferPin", [0x05] = "Activity",
		[0x06] = "Client", [0x07] = "Extension", [0x08] = "IPC", [0x09] = "Timeout",
		[0x0a] = "IO", [0x0b] = "InjectionPoint",
	};
	uint32_t class = event >> 24;

	return class < sizeof(names) / sizeof(names[0]) && names[class] ? names[class] : "?";
}

static void print_event(const struct site *site)
{
	char text[40] = "-";

	if (site->event)
		snprintf(text, sizeof(text), "%08" PRIx32 " %s", site->event, class_name(site->event));
	else if (site->role != SITE_END)
		snprintf(text, sizeof(text), "register");
	printf("%-18s ", text);
}

static void print_function(const struct image *image, const struct site *site)
{
	struct image_symbol symbol;
	char text[64];

	if (image_symbol_at(image, site->store_vaddr, &symbol))
		snprintf(text, sizeof(text), "%s", symbol.name);
	else if (site->function_vaddr)
		snprintf(text, sizeof(text), "%" PRIx64, site->function_vaddr);
	else
		snprintf(text, sizeof(text), "?");
	printf("%-32s ", text);
}

static void print_sites(const struct image *image, const struct site_list *list)
{
	size_t i;

	printf("%-8s %-8s %-8s %-6s %-18s %-8s %-32s %s\n", "store", "probe", "offset", "role",
	       "event", "cost", "function", "instruction");
	for (i = 0; i < list->count; i++) {
		const struct site *site = &list->sites[i];

		printf("%-8" PRIx64 " %-8" PRIx64 " %-8" PRIx64 " %-6s ", site->store_vaddr,
		       site->probe_vaddr, site->probe_offset, site_role_name(site->role));
		print_event(site);
		printf("%-8s ", site_cost_name(site->cost));
		print_function(image, site);
		printf("%s\n", site->instruction);
	}
}

static void print_gaps(const struct site_list *list)
{
	size_t i;

	for (i = 0; i < list->gap_count; i++)
		printf("gap at %" PRIx64 ": %s\n", list->gaps[i].vaddr, list->gaps[i].why);
}

struct totals {
	size_t constant, variable, ends, merged;
	size_t cost[SITE_RETURN + 1];
};

static struct totals count(const struct site_list *list)
{
	struct totals t = { 0 };
	size_t i;

	for (i = 0; i < list->count; i++) {
		const struct site *site = &list->sites[i];

		t.ends += site->role == SITE_END;
		t.merged += site->role == SITE_MERGED;
		t.constant += site->role != SITE_END && site->event;
		t.variable += site->role != SITE_END && !site->event;
		t.cost[site->cost]++;
	}
	return t;
}

static void print_summary(const struct image *image, const struct site_list *list, uint64_t ns)
{
	struct totals t = count(list);

	printf("\n%s build-id %s\n", image_path(image),
	       image_build_id(image)[0] ? image_build_id(image) : "none");
	printf("%s at %" PRIx64 ", field %" PRIu32 ": %zu references = %zu that lead to a store + %zu readers"
	       " + %zu setters + %zu gaps\n", list->symbol, list->symbol_vaddr, list->field_offset,
	       list->references, list->sources, list->readers, list->setters, list->gap_count);
	printf("%zu sites: %zu starts of a constant event, %zu of a register, %zu ends; "
	       "%zu of the starts have an end merged in\n",
	       list->count, t.constant, t.variable, t.ends, t.merged);
	printf("probes: %zu emulated, %zu stepped, %zu return; %zu stores without a place; "
	       "found in %.1f ms\n", t.cost[SITE_EMULATED], t.cost[SITE_STEPPED],
	       t.cost[SITE_RETURN], list->unplaced, (double)ns / 1e6);
}

static int run(const char *path)
{
	uint64_t start = clock_mono_ns();
	struct image *image = image_open(path);
	struct site_list list;

	if (!image)
		return EXIT_FAILED;
	if (site_find(image, &list)) {
		image_free(image);
		return EXIT_FAILED;
	}
	start = clock_mono_ns() - start;
	print_sites(image, &list);
	print_gaps(&list);
	print_summary(image, &list, start);
	site_list_release(&list);
	image_free(image);
	return EXIT_OK;
}

int cmd_sites(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return EXIT_USAGE;	/* getopt has said why */
		usage(stdout);
		return EXIT_OK;
	}
	if (argc - optind != 1) {
		log_error("sites takes the name of one binary; see pgtrace-perf sites --help");
		return EXIT_USAGE;
	}
	return run(argv[optind]);
}
