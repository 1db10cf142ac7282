/* SPDX-License-Identifier: PostgreSQL */
/*
 * From an image to its sites: every instruction that names the variable is found, the
 * pointer followed from each to the stores through it, the stores told apart, and a place
 * for a probe chosen for each.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "site/flow.h"
#include "site/place.h"

/* Instructions looked at for one reference, and in all.  A server of 10 MB needs some 20,000. */
#define STEPS_PER_REFERENCE 50000
#define STEPS_IN_ALL 5000000

struct finder {
	const struct image *image;
	struct decoder *decoder;
	struct subject subject;
	struct walk walk;
	size_t steps;
	uint64_t *references;
	size_t reference_count;
	struct store *stores;
	size_t store_count;
	struct addrmap store_numbers;	/* vaddr -> index in stores, later in sites */
	struct site_list *out;
};

/* --- the variable ----------------------------------------------------------------- */

/* Newest first: a 13 server has only MyProc, later ones have both. */
static const struct {
	const char *name;
	bool is_struct;
} variables[] = {
	{ "my_wait_event_info", false },	/* src/include/utils/wait_event.h, 14 and later */
	{ "MyProc", true },			/* src/include/storage/proc.h, until 13 */
};

static bool find_variable(struct finder *f, const char *name, bool is_struct)
{
	struct subject *s = &f->subject;
	struct image_symbol symbol;
	size_t words;

	*s = (struct subject){ .name = name, .is_struct = is_struct };
	if (image_symbol(f->image, name, &symbol))
		s->vaddr = symbol.vaddr;
	words = image_symbol_words(f->image, name, s->words, SUBJECT_WORDS);
	s->word_count = words < SUBJECT_WORDS ? words : SUBJECT_WORDS;
	return s->vaddr || s->word_count;
}

static int find_subject(struct finder *f)
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (find_variable(f, variables[i].name, variables[i].is_struct))
			return 0;
	return log_error("%s: neither my_wait_event_info nor MyProc is in its dynamic symbols: it is not "
			 "a PostgreSQL server (or module that waits), or was stripped of .dynsym",
			 image_path(f->image));
}

/* --- references ------------------------------------------------------------------- */

static void add_gap(struct site_list *out, uint64_t vaddr, const char *why)
{
	if (!(out->gap_count & (out->gap_count - 1)))
		out->gaps = xrealloc(out->gaps, out->gap_count ? 2 * out->gap_count : 1,
				     sizeof(*out->gaps));
	out->gaps[out->gap_count++] = (struct site_gap){ vaddr, why };
}

static void add_reference(uint64_t vaddr, bool known, void *arg)
{
	struct finder *f = arg;

	if (!known) {
		f->out->references++;
		add_gap(f->out, vaddr, "an instruction that is not known names it");
		return;
	}
	if (!(f->reference_count & (f->reference_count - 1)))
		f->references = xrealloc(f->references,
					 f->reference_count ? 2 * f->reference_count : 1,
					 sizeof(*f->references));
	f->references[f->reference_count++] = vaddr;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int find_references(struct finder *f)
{
	size_t i, kept = 0, code;

	image_code(f->image, &code);
	if (!code)
		return log_error("%s has no code that can be read: name the server's own program file",
				 image_path(f->image));
	if (f->subject.vaddr)
		code_scan(f->decoder, f->subject.vaddr, add_reference, f);
	for (i = 0; i < f->subject.word_count; i++)
		code_scan(f->decoder, f->subject.words[i], add_reference, f);
	if (f->reference_count)
		qsort(f->references, f->reference_count, sizeof(*f->references), by_address);
	for (i = 0; i < f->reference_count; i++)
		if (!kept || f->references[kept - 1] != f->references[i])
			f->references[kept++] = f->references[i];
	f->reference_count = kept;
	f->out->references += kept;
	return 0;
}

/* --- stores ----------------------------------------------------------------------- */

static void add_store(struct finder *f, const struct store *store)
{
	uint32_t number = addrmap_get(&f->store_numbers, store->vaddr);

	if (number != ADDRMAP_NONE) {
		struct store *old = &f->stores[number];

		old->known &= store->known && store->value == old->value;
		return;
	}
	if (!(f->store_count & (f->store_count - 1)))
		f->stores = xrealloc(f->stores, f->store_count ? 2 * f->store_count : 1,
				     sizeof(*f->stores));
	addrmap_put(&f->store_numbers, store->vaddr, (uint32_t)f->store_count);
	f->stores[f->store_count++] = *store;
}

/* A walk through the code, charged to the budget of all. */
static void walk_charged(struct finder *f, uint64_t vaddr, bool whole)
{
	size_t limit = f->steps < STEPS_PER_REFERENCE ? f->steps : STEPS_PER_REFERENCE;
	size_t left = limit;

	walk_run(&f->walk, vaddr, whole, &left);
	f->steps -= limit - left;
}

/* Where one reference leads: each is counted once. */
static void follow(struct finder *f, uint64_t vaddr)
{
	struct walk *walk = &f->walk;
	size_t i;

	walk_charged(f, vaddr, false);
	for (i = 0; i < walk->store_count; i++)
		add_store(f, &walk->stores[i]);
	if (walk->why)
		add_gap(f->out, walk->why_vaddr, walk->why);
	else if (walk->store_count)
		f->out->sources++;
	else if (walk->reads || (walk->subject->is_struct && !walk->sets))
		f->out->readers++;
	else if (walk->sets)
		f->out->setters++;
	else
		add_gap(f->out, vaddr, "loaded, and not used on any path that was found");
}

/* --- which field, which value ------------------------------------------------------ */

/* PGPROC's wait_event_info is the one that takes constants of a wait event's form. */
static bool looks_like_event(const struct store *store)
{
	uint32_t class = store->value >> 24;

	return store->known && class >= 0x01 && class <= 0x0b && !(store->value & 0x00fff000);
}

static int by_field(const void *a, const void *b)
{
	const struct store *left = a, *right = b;

	return (left->field > right->field) - (left->field < right->field);
}

/* The field that most such stores go to.  0: none does. */
static int64_t vote(struct finder *f)
{
	struct store *votes = xcalloc(f->store_count, sizeof(*votes));
	size_t count = 0, run = 0, most = 0, i;
	int64_t field = 0;

	for (i = 0; i < f->store_count; i++)
		if (looks_like_event(&f->stores[i]))
			votes[count++] = f->stores[i];
	qsort(votes, count, sizeof(*votes), by_field);
	for (i = 0; i < count; i++) {
		run = i && votes[i].field == votes[i - 1].field ? run + 1 : 1;
		if (run > most) {
			most = run;
			field = votes[i].field;
		}
	}
	free(votes);
	return field;
}

static void keep_field(struct finder *f, int64_t field)
{
	size_t i, kept = 0;

	addrmap_clear(&f->store_numbers);
	for (i = 0; i < f->store_count; i++) {
		if (f->stores[i].field != field)
			continue;
		addrmap_put(&f->store_numbers, f->stores[i].vaddr, (uint32_t)kept);
		f->stores[kept++] = f->stores[i];
	}
	f->store_count = kept;
	f->out->field_offset = (uint32_t)field;
}

/*
 * A register's value that was put there before the pointer was loaded: known if the whole
 * function, from its start, says the same on every path.
 */
static void resolve_value(struct finder *f, struct store *store)
{
	uint64_t start, size;
	size_t i;

	if (store->known || !image_function(f->image, store->vaddr, &start, &size))
		return;
	walk_charged(f, start, true);
	if (f->walk.blind)
		return;
	for (i = 0; i < f->walk.store_count; i++) {
		if (f->walk.stores[i].vaddr != store->vaddr)
			continue;
		store->known = f->walk.stores[i].known;
		store->value = f->walk.stores[i].value;
	}
}

static int find_field(struct finder *f)
{
	int64_t field = f->subject.is_struct ? vote(f) : 0;

	if (!f->subject.is_struct || field) {
		keep_field(f, field);
		return 0;
	}
	f->store_count = 0;
	if (!f->subject.vaddr)
		return 0;	/* a module that uses MyProc and does not wait */
	return log_error("%s: no wait event is stored through MyProc: it is not a PostgreSQL server, or was "
			 "built without optimization", image_path(f->image));
}

static int find_stores(struct finder *f)
{
	size_t i;

	for (i = 0; i < f->reference_count; i++)
		follow(f, f->references[i]);
	if (find_field(f))
		return -1;
	for (i = 0; i < f->store_count; i++)
		resolve_value(f, &f->stores[i]);
	return 0;
}

/* --- sites ------------------------------------------------------------------------ */

static void make_sites(struct finder *f)
{
	struct site_list *out = f->out;
	uint64_t size;
	size_t i;

	out->sites = xcalloc(f->store_count, sizeof(*out->sites));
	out->count = f->store_count;
	for (i = 0; i < f->store_count; i++) {
		const struct store *store = &f->stores[i];
		struct site *site = &out->sites[i];

		site->store_vaddr = store->vaddr;
		site->role = store->known && !store->value ? SITE_END : SITE_START;
		site->event = store->known ? store->value : 0;
		if (!image_function(f->image, store->vaddr, &site->function_vaddr, &size))
			site->function_vaddr = 0;
	}
}

/* Fills what a probe needs.  False: there is no place for one. */
static bool settle(struct finder *f, struct site *site, const struct placement *placement)
{
	site->probe_vaddr = placement->vaddr;
	site->cost = placement->cost;
	if (!image_file_offset(f->image, placement->vaddr, &site->probe_offset))
		return false;
	decoder_text(f->decoder, placement->vaddr, site->instruction, sizeof(site->instruction));
	return true;
}

static int by_probe(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	if (left->probe_vaddr != right->probe_vaddr)
		return left->probe_vaddr < right->probe_vaddr ? -1 : 1;
	return (left->store_vaddr > right->store_vaddr) - (left->store_vaddr < right->store_vaddr);
}

/* An end that runs into a start leaves the list; the start serves both. */
static void place_all(struct finder *f)
{
	struct place_context context = { f->decoder, f->out->sites, &f->store_numbers };
	struct placement *placements = xcalloc(f->store_count, sizeof(*placements));
	struct site_list *out = f->out;
	size_t i, kept = 0;

	for (i = 0; i < f->store_count; i++)
		if (!place_probe(&context, i, &placements[i]))
			placements[i].cost = 0;
	for (i = 0; i < f->store_count; i++)
		if (placements[i].merged_with != SIZE_MAX)
			out->sites[placements[i].merged_with].role = SITE_MERGED;
	for (i = 0; i < f->store_count; i++) {
		if (placements[i].merged_with != SIZE_MAX) {
			out->unplaced += !placements[placements[i].merged_with].cost;
			continue;
		}
		if (placements[i].cost && settle(f, &out->sites[i], &placements[i]))
			out->sites[kept++] = out->sites[i];
		else
			out->unplaced++;
	}
	out->count = kept;
	free(placements);
	qsort(out->sites, out->count, sizeof(*out->sites), by_probe);
}

static int find_all(struct finder *f)
{
	if (find_subject(f))
		return -1;
	f->decoder = decoder_new(f->image);
	if (!f->decoder || find_references(f))
		return -1;
	f->out->symbol = f->subject.name;
	f->out->symbol_vaddr = f->subject.vaddr;
	walk_init(&f->walk, f->decoder, &f->subject);
	if (find_stores(f))
		return -1;
	make_sites(f);
	place_all(f);
	return 0;
}

int site_find(const struct image *image, struct site_list *out)
{
	struct finder f = { .image = image, .out = out, .steps = STEPS_IN_ALL };
	int result;

	memset(out, 0, sizeof(*out));
	result = find_all(&f);
	if (result)
		site_list_release(out);
	walk_release(&f.walk);
	decoder_free(f.decoder);
	free(f.references);
	free(f.stores);
	addrmap_release(&f.store_numbers);
	return result;
}
