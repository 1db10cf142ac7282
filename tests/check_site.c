/* SPDX-License-Identifier: PostgreSQL */
/* The site finder on small fixtures, whose labels say what it must find, and on a real server. */
#include <check.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "site/code.h"
#include "site/site.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct expected {	/* NULL name: the end */
	const char *name;	/* label of the store; that of the probe has "_p" behind it */
	enum site_role role;
	enum site_cost cost;
	uint32_t event;
};

struct fixture {
	const char *path;
	const char *symbol;
	uint32_t field;
	struct expected sites[64];
	const char *gaps[16];	/* labels */
	size_t readers;
	size_t setters;
};

static const struct fixture fixtures[] = {
	{
		.path = FIXTURES "/site_server.fixture",
		.symbol = "my_wait_event_info",
		.sites = {
			{ "plain_start", SITE_START, SITE_EMULATED, 0x0a000001 },
			{ "plain_end", SITE_END, SITE_EMULATED, 0 },
			{ "hoisted_start", SITE_START, SITE_EMULATED, 0x0a000002 },
			{ "hoisted_end", SITE_END, SITE_EMULATED, 0 },
			{ "hoisted_again", SITE_START, SITE_EMULATED, 0x0a000003 },
			{ "spilled_start", SITE_START, SITE_EMULATED, 0x0a000004 },
			{ "spilled_end", SITE_END, SITE_EMULATED, 0 },
			{ "framed_end", SITE_END, SITE_EMULATED, 0 },
			{ "pushed_end", SITE_END, SITE_EMULATED, 0 },
			{ "merged_start", SITE_MERGED, SITE_EMULATED, 0x05000001 },
			{ "two_ends_first", SITE_END, SITE_EMULATED, 0 },
			{ "two_ends_second", SITE_END, SITE_EMULATED, 0 },
			{ "no_time_start", SITE_START, SITE_STEPPED, 0x0a000005 },
			{ "no_time_end", SITE_END, SITE_EMULATED, 0 },
			{ "returns_end", SITE_END, SITE_RETURN, 0 },
			{ "returns_long_end", SITE_END, SITE_STEPPED, 0 },
			{ "calls_register_start", SITE_START, SITE_STEPPED, 0x0a000006 },
			{ "calls_register_end", SITE_END, SITE_STEPPED, 0 },
			{ "enters_kernel_start", SITE_START, SITE_STEPPED, 0x0a000007 },
			{ "enters_kernel_end", SITE_END, SITE_EMULATED, 0 },
			{ "joined_start", SITE_START, SITE_EMULATED, 0 },
			{ "middle_start", SITE_START, SITE_EMULATED, 0x0a00000a },
			{ "register_event_start", SITE_START, SITE_EMULATED, 0 },
			{ "register_zero_end", SITE_END, SITE_EMULATED, 0 },
			{ "register_perhaps_start", SITE_START, SITE_EMULATED, 0 },
			{ "cmov_event_start", SITE_START, SITE_EMULATED, 0 },
			{ "by_address_start", SITE_START, SITE_EMULATED, 0x0a00000b },
			{ "by_address_end", SITE_END, SITE_EMULATED, 0 },
			{ "exchanged_end", SITE_END, SITE_EMULATED, 0 },
			{ "looped_start", SITE_START, SITE_EMULATED, 0x0a00000c },
			{ "looped_end", SITE_END, SITE_EMULATED, 0 },
			{ "parted_start", SITE_START, SITE_EMULATED, 0x0a00000d },
			{ "parted_cold_end", SITE_END, SITE_EMULATED, 0 },
			{ "switched_first", SITE_START, SITE_EMULATED, 0x0a00000e },
			{ "switched_second", SITE_END, SITE_EMULATED, 0 },
			{ "no_return_start", SITE_START, SITE_EMULATED, 0x0a00000f },
		},
		.gaps = {
			"escapes_to_call_gap", "escapes_by_address_gap", "escapes_to_memory_gap",
			"escapes_by_return_gap", "computes_gap", "changes_gap", "jumps_away_gap",
			"spills_and_forgets_gap", "goes_to_vector_gap", "goes_unknown_gap",
			"never_used_gap",
		},
		.readers = 2,
		.setters = 2,
	}, {
		.path = FIXTURES "/site_module.fixture",
		.symbol = "my_wait_event_info",
		.sites = {
			{ "module_plain_start", SITE_START, SITE_STEPPED, 0x07000000 },
			{ "module_plain_end", SITE_END, SITE_EMULATED, 0 },
			{ "module_kept_start", SITE_START, SITE_EMULATED, 0x07000000 },
			{ "module_kept_end", SITE_END, SITE_EMULATED, 0 },
		},
	}, {
		.path = FIXTURES "/site_fixed.fixture",
		.symbol = "my_wait_event_info",
		.sites = {
			{ "fixed_relative_start", SITE_START, SITE_EMULATED, 0x0a000001 },
			{ "fixed_absolute_start", SITE_START, SITE_EMULATED, 0x0a000002 },
			{ "fixed_constant_start", SITE_START, SITE_EMULATED, 0x0a000003 },
			{ "fixed_constant_end", SITE_END, SITE_EMULATED, 0 },
			{ "fixed_switch_end", SITE_END, SITE_EMULATED, 0 },
		},
	}, {
		.path = FIXTURES "/site_13.fixture",
		.symbol = "MyProc",
		.field = 0x2c8,
		.sites = {
			{ "checked_start", SITE_START, SITE_EMULATED, 0x09000001 },
			{ "checked_end", SITE_END, SITE_EMULATED, 0 },
			{ "of_register_start", SITE_START, SITE_EMULATED, 0 },
			{ "second_constant_start", SITE_START, SITE_EMULATED, 0x0a000007 },
		},
		.gaps = { "under_a_moved_stack_gap" },
		/* other_fields leads to stores, though not of ours. */
		.readers = 2,
	},
};

static uint64_t address_of(const struct image *image, const char *name, const char *suffix)
{
	struct image_symbol symbol;
	char label[128];

	snprintf(label, sizeof(label), "%s%s", name, suffix);
	ck_assert_msg(image_symbol(image, label, &symbol), "no label %s", label);
	return symbol.vaddr;
}

static const struct site *site_at(const struct site_list *list, uint64_t store)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->sites[i].store_vaddr == store)
			return &list->sites[i];
	return NULL;
}

static void check_one(const struct image *image, const struct site_list *list,
		      const struct expected *want)
{
	const struct site *site = site_at(list, address_of(image, want->name, ""));
	uint64_t start, size, offset;

	ck_assert_msg(site != NULL, "%s was not found", want->name);
	ck_assert_msg(site->role == want->role, "%s: %s", want->name, site_role_name(site->role));
	ck_assert_msg(site->cost == want->cost, "%s: %s", want->name, site_cost_name(site->cost));
	ck_assert_msg(site->event == want->event, "%s: event %08" PRIx32, want->name, site->event);
	ck_assert_msg(site->probe_vaddr == address_of(image, want->name, "_p"),
		      "%s: probe on %s at %" PRIx64, want->name, site->instruction, site->probe_vaddr);
	ck_assert(image_file_offset(image, site->probe_vaddr, &offset));
	ck_assert_uint_eq(site->probe_offset, offset);
	ck_assert(image_function(image, site->store_vaddr, &start, &size));
	ck_assert_uint_eq(site->function_vaddr, start);
}

static bool has_gap(const struct site_list *list, uint64_t vaddr)
{
	size_t i;

	for (i = 0; i < list->gap_count; i++)
		if (list->gaps[i].vaddr == vaddr)
			return list->gaps[i].why != NULL;
	return false;
}

static void check_gaps(const struct image *image, const struct site_list *list,
		       const struct fixture *fixture)
{
	size_t i;

	for (i = 0; fixture->gaps[i]; i++)
		ck_assert_msg(has_gap(list, address_of(image, fixture->gaps[i], "")),
			      "no gap at %s", fixture->gaps[i]);
	ck_assert_uint_eq(list->gap_count, i);
}

START_TEST(fixture_is_found_exactly)
{
	const struct fixture *fixture = &fixtures[_i];
	struct image *image = image_open(fixture->path);
	struct site_list list;
	size_t i;

	ck_assert_ptr_nonnull(image);
	ck_assert_int_eq(site_find(image, &list), 0);
	ck_assert_str_eq(list.symbol, fixture->symbol);
	ck_assert_uint_eq(list.field_offset, fixture->field);
	for (i = 0; fixture->sites[i].name; i++)
		check_one(image, &list, &fixture->sites[i]);
	ck_assert_uint_eq(list.count, i);
	check_gaps(image, &list, fixture);
	ck_assert_uint_eq(list.readers, fixture->readers);
	ck_assert_uint_eq(list.setters, fixture->setters);
	ck_assert_uint_eq(list.unplaced, 0);
	ck_assert_uint_eq(list.references,
			  list.sources + list.readers + list.setters + list.gap_count);
	site_list_release(&list);
	image_free(image);
}
END_TEST

START_TEST(list_is_in_probe_order)
{
	struct image *image = image_open(fixtures[0].path);
	struct site_list list;
	size_t i;

	ck_assert_ptr_nonnull(image);
	ck_assert_int_eq(site_find(image, &list), 0);
	for (i = 1; i < list.count; i++)
		ck_assert_uint_le(list.sites[i - 1].probe_vaddr, list.sites[i].probe_vaddr);
	site_list_release(&list);
	image_free(image);
}
END_TEST

START_TEST(object_without_symbol_is_refused)
{
	struct image *image = image_open(FIXTURES "/elf_plain.fixture");
	struct site_list list;

	ck_assert_ptr_nonnull(image);
	ck_assert_int_eq(site_find(image, &list), -1);
	image_free(image);
}
END_TEST

START_TEST(entry_is_cheapest)
{
	static const struct {
		const char *name;
		enum site_cost cost;
	} rows[] = {
		{ "entry_push", SITE_EMULATED },
		{ "entry_endbr", SITE_EMULATED },
		{ "entry_later", SITE_EMULATED },
		{ "entry_spoilt", SITE_STEPPED },
		{ "entry_loop", SITE_STEPPED },
	};
	struct image *image = image_open(fixtures[0].path);
	uint64_t offset, want;
	enum site_cost cost;
	size_t i;

	ck_assert_ptr_nonnull(image);
	for (i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(site_entry(image, address_of(image, rows[i].name, ""), &offset, &cost), 0);
		ck_assert(image_file_offset(image, address_of(image, rows[i].name, "_p"), &want));
		ck_assert_msg(offset == want && cost == rows[i].cost, "%s: offset %" PRIx64 " %s",
			      rows[i].name, offset, site_cost_name(cost));
	}
	ck_assert_int_eq(site_entry(image, address_of(image, "my_wait_event_info", ""), &offset, &cost), -1);
	image_free(image);
}
END_TEST

/* What arch/x86/kernel/uprobes.c does with each. */
static const struct {
	const char *bytes;
	size_t size;
	uint8_t cost;
} costs[] = {
	{ "\xe8\0\0\0\0", 5, SITE_EMULATED },			/* call rel32 */
	{ "\xe9\0\0\0\0", 5, SITE_EMULATED },			/* jmp rel32 */
	{ "\xeb\0", 2, SITE_EMULATED },				/* jmp rel8 */
	{ "\x74\0", 2, SITE_EMULATED },				/* je rel8 */
	{ "\x0f\x85\0\0\0\0", 6, SITE_EMULATED },		/* jne rel32 */
	{ "\x90", 1, SITE_EMULATED },				/* nop */
	{ "\x66\x90", 2, SITE_EMULATED },			/* nop with a prefix */
	{ "\xf3\x90", 2, SITE_EMULATED },			/* pause */
	{ "\x55", 1, SITE_EMULATED },				/* push %rbp */
	{ "\x41\x57", 2, SITE_EMULATED },			/* push %r15 */
	{ "\x66\xe8\0\0", 4, SITE_STEPPED },			/* callw */
	{ "\x66\x0f\x84\0\0", 5, SITE_STEPPED },		/* je rel16 */
	{ "\x66\x55", 2, SITE_STEPPED },			/* push %bp */
	{ "\x48\x55", 2, SITE_STEPPED },			/* push with an odd REX */
	{ "\x41\x90", 2, SITE_STEPPED },			/* xchg %eax, %r8d */
	{ "\xff\xd0", 2, SITE_STEPPED },			/* call *%rax */
	{ "\xff\xe0", 2, SITE_STEPPED },			/* jmp *%rax */
	{ "\xc3", 1, SITE_STEPPED },				/* ret */
	{ "\x5d", 1, SITE_STEPPED },				/* pop %rbp */
	{ "\x0f\x1f\x00", 3, SITE_STEPPED },			/* nopl */
	{ "\x64\x48\x8b\x04\x25\x28\0\0\0", 9, SITE_STEPPED },	/* mov %fs:0x28, %rax */
	{ "\xf0\x0f\xc1\x02", 4, 0 },				/* lock xadd */
	{ "\x3e\xff\xe0", 3, 0 },				/* notrack jmp *%rax */
	{ "\xcc", 1, 0 },					/* int3 */
	{ "\x0f\x05", 2, 0 },					/* syscall */
	{ "\x0f\x0b", 2, 0 },					/* ud2 */
	{ "\xf3\x0f\x1e\xfa", 4, 0 },				/* endbr64 */
	{ "\xc5\xf8\x77", 3, 0 },				/* vzeroupper */
	{ "\x66", 1, 0 },					/* cut short */
};

START_TEST(cost_is_the_kernels)
{
	ck_assert_uint_eq(x86_64_cost((const uint8_t *)costs[_i].bytes, costs[_i].size), costs[_i].cost);
}
END_TEST

/* --- the installed server --------------------------------------------------------- */

static struct image *server;
static struct site_list server_sites;

static struct image *open_server(void)
{
	struct image *image = NULL;
	glob_t found;

	if (!glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found))
		image = image_open(found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return image;
}

static void server_setup(void)
{
	server = open_server();
	ck_assert_ptr_nonnull(server);
	ck_assert_int_eq(site_find(server, &server_sites), 0);
}

static void server_teardown(void)
{
	site_list_release(&server_sites);
	image_free(server);
}

START_TEST(server_leaves_no_gap)
{
	const struct site_list *list = &server_sites;

	ck_assert_uint_eq(list->gap_count, 0);
	ck_assert_uint_eq(list->unplaced, 0);
	ck_assert_uint_ge(list->count, 100);
	ck_assert_uint_eq(list->references, list->sources + list->readers + list->setters);
}
END_TEST

START_TEST(server_events_are_of_a_wait_class)
{
	size_t i;

	for (i = 0; i < server_sites.count; i++) {
		const struct site *site = &server_sites.sites[i];

		if (site->role == SITE_END || !site->event)
			continue;
		ck_assert_uint_ge(site->event >> 24, 0x01);
		ck_assert_uint_le(site->event >> 24, 0x0b);
	}
}
END_TEST

/* Bytes of the file, read afresh at the offset that a uprobe would be given. */
START_TEST(server_probes_are_what_is_promised)
{
	FILE *file = fopen(image_path(server), "r");
	size_t i;

	ck_assert_ptr_nonnull(file);
	for (i = 0; i < server_sites.count; i++) {
		const struct site *site = &server_sites.sites[i];
		uint8_t bytes[15];

		ck_assert_int_eq(fseek(file, (long)site->probe_offset, SEEK_SET), 0);
		ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
		ck_assert_msg(site->cost != SITE_EMULATED ||
			      x86_64_cost(bytes, sizeof(bytes)) == SITE_EMULATED,
			      "%" PRIx64 ": %s", site->probe_vaddr, site->instruction);
		ck_assert_str_ne(site->instruction, "?");
		ck_assert_int_ge(site->cost, SITE_EMULATED);
	}
	fclose(file);
}
END_TEST

/*
 * The textbook pair, counted by its bytes alone: mov disp32(%rip), %rR; movl $imm32, (%rR)
 * with R one of the eight old registers.  Each must be among the sites, with that event.
 */
static size_t count_pairs(uint64_t variable)
{
	const struct image_range *code;
	size_t sections, s, i, found = 0;

	code = image_code(server, &sections);
	for (s = 0; s < sections; s++) {
		for (i = 0; i + 13 <= code[s].size; i++) {
			const uint8_t *b = code[s].bytes + i;
			int32_t distance;
			uint32_t event;
			const struct site *site;

			memcpy(&distance, b + 3, sizeof(distance));
			memcpy(&event, b + 9, sizeof(event));
			if (b[0] != 0x48 || b[1] != 0x8b || (b[2] & 0xc7) != 0x05 || b[7] != 0xc7 ||
			    b[8] != b[2] >> 3 || !event ||
			    code[s].vaddr + i + 7 + (uint64_t)(int64_t)distance != variable)
				continue;
			site = site_at(&server_sites, code[s].vaddr + i + 7);
			ck_assert_msg(site && site->event == event, "pair at %zx", i);
			found++;
		}
	}
	return found;
}

START_TEST(server_pairs_are_all_found)
{
	ck_assert_uint_gt(count_pairs(server_sites.symbol_vaddr), 20);
}
END_TEST

/* Debian's 15: 183 stores, counted with objdump. */
START_TEST(server_counts_are_known)
{
	size_t constant = 0, variable = 0, ends = 0, merged = 0, emulated = 0, i;

	if (strcmp(image_build_id(server), "a6ade789dddc8ae8e6d07de24f7f2c32d0f38b1d"))
		return;
	for (i = 0; i < server_sites.count; i++) {
		const struct site *site = &server_sites.sites[i];

		merged += site->role == SITE_MERGED;
		ends += site->role == SITE_END;
		constant += site->role != SITE_END && site->event;
		variable += site->role != SITE_END && !site->event;
		emulated += site->cost == SITE_EMULATED;
	}
	ck_assert_uint_eq(server_sites.references, 185);
	ck_assert_uint_eq(server_sites.setters, 2);
	ck_assert_uint_eq(constant, 72);
	/* Four of the sixteen register stores are of a register that was cleared. */
	ck_assert_uint_eq(variable, 12);
	ck_assert_uint_eq(ends + merged, 99);
	ck_assert_uint_eq(merged, 13);
	ck_assert_uint_eq(emulated, 166);
}
END_TEST

static TCase *server_tests(void)
{
	TCase *tc = tcase_create("server");

	tcase_add_checked_fixture(tc, server_setup, server_teardown);
	tcase_add_test(tc, server_leaves_no_gap);
	tcase_add_test(tc, server_events_are_of_a_wait_class);
	tcase_add_test(tc, server_probes_are_what_is_promised);
	tcase_add_test(tc, server_pairs_are_all_found);
	tcase_add_test(tc, server_counts_are_known);
	return tc;
}

static bool server_is_there(void)
{
	struct image *image = open_server();

	image_free(image);
	return image != NULL;
}

int main(void)
{
	Suite *suite = suite_create("site");
	TCase *tc = tcase_create("site");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, fixture_is_found_exactly, 0, COUNT(fixtures));
	tcase_add_test(tc, list_is_in_probe_order);
	tcase_add_test(tc, object_without_symbol_is_refused);
	tcase_add_test(tc, entry_is_cheapest);
	tcase_add_loop_test(tc, cost_is_the_kernels, 0, COUNT(costs));
	suite_add_tcase(suite, tc);
	if (server_is_there())
		suite_add_tcase(suite, server_tests());
	else
		printf("skipped: no server in /usr/lib/postgresql/*/bin\n");
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
