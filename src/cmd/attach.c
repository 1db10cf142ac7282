/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/attach.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"

/* What was in use when we came may be free when we go. */
#define SWEEP_PATIENCE_MS 500

static int by_offset(const void *a, const void *b)
{
	const struct probe *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->is_return != y->is_return)
		return x->is_return ? 1 : -1;
	/* MERGED last: it does what WAIT does and more, and the last of equals is kept. */
	return (int)x->program - (int)y->program;
}

static bool is_same_place(const struct probe *a, const struct probe *b)
{
	return a->offset == b->offset && a->is_return == b->is_return;
}

/* Several sites may share one probe. */
static size_t drop_doubles(struct probe *probes, size_t count)
{
	size_t i, kept = 0;

	qsort(probes, count, sizeof(*probes), by_offset);
	for (i = 0; i < count; i++)
		if (i + 1 == count || !is_same_place(&probes[i], &probes[i + 1]))
			probes[kept++] = probes[i];
	return kept;
}

static struct probe probe_for(const struct image *image, const struct site *site, bool at_store)
{
	struct probe probe = {
		.offset = site->probe_offset,
		.is_return = site->cost == SITE_RETURN,
		.program = site->role == SITE_MERGED ? PROGRAM_WAIT_MERGED : PROGRAM_WAIT,
	};

	if (at_store && image_file_offset(image, site->store_vaddr, &probe.offset))
		probe.is_return = false;
	return probe;
}

size_t probes_of_sites(const struct site_list *sites, const struct image *image, bool at_stores,
		       struct probe *out)
{
	size_t i;

	for (i = 0; i < sites->count; i++)
		out[i] = probe_for(image, &sites->sites[i], at_stores);
	return drop_doubles(out, sites->count);
}

static void plan_waits(struct attachment *at, bool at_stores)
{
	size_t i;

	at->probes = xcalloc(at->sites.count + 1 + OBJECT_PROBES_MAX, sizeof(*at->probes));
	if (!at->source->uses_sites)
		return;
	at->probe_count = probes_of_sites(&at->sites, at->image, at_stores, at->probes);
	for (i = 0; i < at->sites.count; i++) {
		at->stepped += at->sites.sites[i].cost == SITE_STEPPED;
		at->returns += at->sites.sites[i].cost == SITE_RETURN;
	}
}

/*
 * Uprobes at every site see every wait, at a tenth of a watchpoint's cost (tests/live/sources.py,
 * bench.py); where there is a reference that could not be followed, or no site, only the
 * watchpoint does.  System calls are cheaper still, but never show every wait.
 */
static const struct wait_source *choose_source(const struct attachment *at)
{
	const struct wait_source *uprobe = &wait_sources[SOURCE_UPROBE];
	const struct wait_source *watchpoint = &wait_sources[SOURCE_WATCHPOINT];
	char detail[256];

	if (at->sites.count && !at->sites.gap_count)
		return uprobe;
	if (watchpoint->check(detail, sizeof(detail)) == FEATURE_OK) {
		log_warn("not every wait site of %s could be found: waits by watchpoint, at some 30 us each "
			 "(--waits=uprobe is cheaper and may miss some)", at->target.exe_name);
		return watchpoint;
	}
	return at->sites.count ? uprobe : &wait_sources[SOURCE_SYSCALL];
}

/* Without the extension, statements come from the reports that pg_stat_activity shows too. */
static void plan_statements(struct attachment *at)
{
	struct image_symbol symbol;
	struct probe probe = { .program = PROGRAM_ACTIVITY };
	enum site_cost cost;

	if (!image_symbol(at->image, "pgstat_report_activity", &symbol) ||
	    site_entry(at->image, symbol.vaddr, &probe.offset, &cost)) {
		log_warn("%s has no pgstat_report_activity to probe: the trace has waits but no statements",
			 at->target.exe_name);
		return;
	}
	at->probes[at->probe_count++] = probe;
	at->has_statements = true;
}

static void plan_objects(struct attachment *at)
{
	struct objects *objects = &at->objects;

	objects_plan(&at->target, at->image, objects);
	memcpy(at->probes + at->probe_count, objects->probes, objects->probe_count * sizeof(*objects->probes));
	at->probe_count += objects->probe_count;
	objects_touch(&at->target, at->image, objects);
	at->has_objects = true;
}

/* my_wait_event_info points at the word; MyProc (13) at the structure that holds it. */
static int find_word(struct attachment *at)
{
	uint64_t pointer_addr = at->sites.symbol_vaddr + target_bias(&at->target, at->image);
	uint64_t pointer = 0;
	int err = target_read(&at->target, pointer_addr, &pointer, sizeof(pointer));

	if (err || !pointer)
		return log_error("cannot read %s of process %d: %s (see 'pgtrace-perf doctor': privilege)",
				 at->sites.symbol, (int)at->target.pid,
				 err ? strerror(-err) : "it is not set");
	at->wait_event_addr = pointer + at->sites.field_offset;
	return 0;
}

static int put_probes(struct attachment *at, const struct attach_options *options)
{
	struct task_state state = { .wait_event_addr = at->wait_event_addr, .file_base = at->objects.file_base };

	at->set = probe_set_new();
	if (!at->set || probe_set_use(at->set, at->source) || probe_set_define(at->set, at->target.exe, at->probes, at->probe_count))
		return -1;
	modules_look(at, &at->module_news);
	at->rings = ring_set_open(probe_set_output_map(at->set), options->ring_pages);
	if (!at->rings)
		return -1;
	if (at->objects.has_locks && probe_set_lock_work(at->set, at->target.pid, &at->objects.work))
		log_warn("lock waits of process %d will not tell who blocks", (int)at->target.pid);
	return probe_set_attach(at->set, at->target.pid, &state, &at->probes_failed);
}

int attachment_open(struct attachment *at, pid_t pid, const struct attach_options *options)
{
	uint64_t began = clock_mono_ns();
	int orphans;

	memset(at, 0, sizeof(*at));
	strbuf_init(&at->module_news);
	if (target_open(&at->target, pid))
		return -1;
	orphans = probe_sweep_orphans(0);
	if (orphans > 0)
		log_info("removed %d probe definitions that a killed collector had left", orphans);
	at->image = image_open(at->target.exe);
	if (!at->image || site_find(at->image, &at->sites) || find_word(at))
		return -1;
	at->source = options->source ? options->source : choose_source(at);
	plan_waits(at, options->at_stores);
	if (!at->target.control)
		plan_statements(at);
	if (options->objects)
		plan_objects(at);
	if (put_probes(at, options))
		return -1;
	at->attached_ns = probe_set_watched_ns(at->set, pid);
	at->attach_took_ns = clock_mono_ns() - began;
	return 0;
}

int attachment_add_statements(struct attachment *at)
{
	size_t failed;

	if (at->has_statements)
		return 0;
	plan_statements(at);
	if (!at->has_statements)
		return -1;
	if (probe_set_define(at->set, at->target.exe, &at->probes[at->probe_count - 1], 1))
		return -1;
	return probe_set_attach(at->set, at->target.pid, &(struct task_state){ 0 }, &failed) || failed ? -1 : 0;
}

int attachment_add_modules(struct attachment *at, struct strbuf *news)
{
	size_t failed = 0, defined = modules_look(at, news);

	if (!defined)
		return 0;
	return probe_set_attach(at->set, at->target.pid, &(struct task_state){ 0 }, &failed) || failed ? -1 : 0;
}

uint64_t attachment_detach(struct attachment *at, struct task_state *last)
{
	uint64_t cut_ns;

	memset(last, 0, sizeof(*last));
	probe_set_unwatch(at->set, at->target.pid, last);
	cut_ns = clock_mono_ns();
	probe_set_detach(at->set, at->target.pid, NULL);
	return cut_ns;
}

void attachment_close(struct attachment *at)
{
	ring_set_free(at->rings);
	probe_set_free(at->set);
	if (at->set)
		probe_sweep_orphans(SWEEP_PATIENCE_MS);
	free(at->probes);
	strbuf_release(&at->module_news);
	modules_release(&at->modules);
	site_list_release(&at->sites);
	image_free(at->image);
	target_release(&at->target);
	memset(at, 0, sizeof(*at));
}

static void describe_probes(const struct attachment *at, struct strbuf *out)
{
	strbuf_addf(out, ", %zu probes for %zu sites", at->probe_count - at->has_statements - at->objects.probe_count,
		    at->sites.count);
	if (at->stepped || at->returns)
		strbuf_addf(out, " (%zu single-stepped, %zu at a function's return)", at->stepped, at->returns);
	if (at->sites.gap_count)
		strbuf_addf(out, ", %zu references could not be followed", at->sites.gap_count);
}

void attachment_describe(const struct attachment *at, struct strbuf *out)
{
	strbuf_addf(out, "waits: %s source", at->source->name);
	if (at->source->uses_sites)
		describe_probes(at, out);
	if (at->module_news.length)
		strbuf_addf(out, "; %s", at->module_news.text);
	if (at->probes_failed)
		strbuf_addf(out, ", %zu PROBES DID NOT ATTACH", at->probes_failed);
	if (at->source->misses)
		strbuf_addf(out, "; not seen: %s", at->source->misses);
	if (at->has_objects)
		objects_describe(&at->objects, out);
	else
		strbuf_addstr(out, ", without the objects of waits");
	strbuf_addf(out, "; attached in %.1f ms", (double)at->attach_took_ns / 1e6);
}
