/* SPDX-License-Identifier: PostgreSQL */
/* What a wait was for: its parameters, and the names of relations. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "lib/made.h"
#include "out/object.h"
#include "out/sink.h"
#include "trace/relations.h"

#define ROWS(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))
#define FILE_OF(...) { .kind = PGT_OBJECT_FILE, .file = { __VA_ARGS__ } }
#define LOCK_OF(...) { .kind = PGT_OBJECT_LOCK, .lock = { __VA_ARGS__ } }

/* "name=value ..." */
static char *params_of(const struct pgt_object *object, const char *relation, uint32_t version)
{
	struct object_param params[OBJECT_PARAMS];
	struct session session = { .info = { .server_version_num = version } };
	struct trace_event te = { .session = &session, .object = object, .relation = relation };
	size_t count = object_params(&te, params), i;
	struct strbuf out = STRBUF_INIT;
	char *text;

	ck_assert_uint_le(count, OBJECT_PARAMS);
	for (i = 0; i < count; i++)
		if (params[i].is_number)
			strbuf_addf(&out, "%s%s=%lld", i ? " " : "", params[i].name, (long long)params[i].number);
		else
			strbuf_addf(&out, "%s%s=%s", i ? " " : "", params[i].name, params[i].text);
	text = xstrdup(out.text);
	strbuf_release(&out);
	return text;
}

static const struct {
	struct pgt_object object;
	const char *relation;
	uint32_t version;
	const char *text;
} objects[] = {
	{ FILE_OF(1663, 5, 16397, -1, 0, 1234, 1), "public.t", 150020,
	  "rel=public.t fork=main block=1234 blocks=1 file=base/5/16397" },
	{ FILE_OF(1663, 5, 16397, -1, 1, 4294967294u, 16), NULL, 150020,
	  "fork=fsm block=4294967294 blocks=16 file=base/5/16397_fsm" },
	{ FILE_OF(1663, 5, 16397, 3, 2, 7, 0), NULL, 150020, "fork=vm file=base/5/t3_16397_vm" },
	{ FILE_OF(1664, 0, 1262, -1, 0, 0, 1), NULL, 150020, "fork=main block=0 blocks=1 file=global/1262" },
	{ FILE_OF(16500, 5, 16397, -1, 3, 0, 1), NULL, 180001,
	  "fork=init block=0 blocks=1 file=pg_tblspc/16500/PG_18_202506291/5/16397_init" },
	{ FILE_OF(16500, 5, 16397, -1, 0, 0, 1), NULL, 0, "fork=main block=0 blocks=1 file=pg_tblspc/16500/?/5/16397" },
	{ FILE_OF(4294967295u, 4294967295u, 4294967295u, 2147483647, 99, 4294967295u, 4294967295u), NULL, 180001,
	  "fork=? block=4294967295 blocks=4294967295 "
	  "file=pg_tblspc/4294967295/PG_18_202506291/4294967295/t2147483647_4294967295_?" },
	{ LOCK_OF(5, 16390, 0, 0, 0, 1, 8, 0, { 0 }), NULL, 150020,
	  "mode=AccessExclusiveLock database=5 relation=16390 blockers=none" },
	{ LOCK_OF(5, 16390, 0, 0, 0, 1, 1, 1, { 9 }), "public.t", 150020,
	  "mode=AccessShareLock rel=public.t blockers=9" },
	{ LOCK_OF(5, 16390, 0, 0, 1, 1, 7, 1, { 9 }), "public.t", 150020, "mode=ExclusiveLock rel=public.t blockers=9" },
	{ LOCK_OF(5, 0, 0, 0, 2, 1, 3, 1, { 9 }), NULL, 150020, "mode=RowExclusiveLock database=5 blockers=9" },
	{ LOCK_OF(5, 16390, 12, 0, 3, 1, 7, 1, { 9 }), "public.t", 150020,
	  "mode=ExclusiveLock rel=public.t page=12 blockers=9" },
	{ LOCK_OF(5, 16390, 12, 34, 4, 1, 7, 4, { 9, 8, 7, 6 }), "public.t", 150020,
	  "mode=ExclusiveLock rel=public.t page=12 tuple=34 blockers=9,8,7,6" },
	{ LOCK_OF(811, 0, 0, 0, 5, 1, 5, 9, { 9, 8, 7, 6 }), NULL, 150020,
	  "mode=ShareLock xid=811 blockers=9,8,7,6,+5" },
	{ LOCK_OF(811, 0, 0, 0, 5, 1, 5, PGT_LOCK_AT_LEAST | 64, { 9, 8, 7, 6 }), NULL, 150020,
	  "mode=ShareLock xid=811 blockers=9,8,7,6,+60.." },
	{ LOCK_OF(811, 0, 0, 0, 5, 1, 5, PGT_LOCK_AT_LEAST, { 0 }), NULL, 150020, "mode=ShareLock xid=811 blockers=?" },
	{ LOCK_OF(3, 77, 0, 0, 6, 1, 5, PGT_LOCK_UNKNOWN, { 0 }), NULL, 150020,
	  "mode=ShareLock backend=3 lxid=77 blockers=?" },
	{ LOCK_OF(811, 2, 0, 0, 7, 1, 5, 1, { 0 }), NULL, 150020, "mode=ShareLock xid=811 token=2 blockers=0" },
	{ LOCK_OF(5, 1259, 3, 4, 8, 1, 2, 0, { 0 }), NULL, 150020,
	  "mode=RowShareLock database=5 class=1259 object=3 subobject=4 blockers=none" },
	{ LOCK_OF(5, 7, 8, 2, 10, 2, 7, 1, { 9 }), NULL, 150020,
	  "mode=ExclusiveLock database=5 key1=7 key2=8 keys=2 blockers=9" },
	{ LOCK_OF(5, 16400, 812, 0, 11, 1, 7, 1, { 9 }), NULL, 160000,
	  "mode=ExclusiveLock database=5 subscription=16400 xid=812 object=0 blockers=9" },
	{ LOCK_OF(1, 2, 3, 4, 255, 1, 255, 2147483647u, { 4294967295u, 4294967295u, 4294967295u, 4294967295u }), NULL,
	  150020, "mode=? locktype=255 field1=1 field2=2 field3=3 field4=4 "
	  "blockers=4294967295,4294967295,4294967295,4294967295,+2147483643" },
	{ { .kind = 99 }, NULL, 150020, "" },
};

START_TEST(parameters_of_objects)
{
	char *text = params_of(&objects[_i].object, objects[_i].relation, objects[_i].version);

	ck_assert_str_eq(text, objects[_i].text);
	free(text);
}
END_TEST

START_TEST(states_of_versions)
{
	ck_assert_str_eq(backend_state_name(150020, 0), "?");
	ck_assert_str_eq(backend_state_name(150020, 1), "idle");
	ck_assert_str_eq(backend_state_name(170000, 3), "idle in transaction");
	ck_assert_str_eq(backend_state_name(180000, 1), "starting");
	ck_assert_str_eq(backend_state_name(180000, 3), "active");
	ck_assert_str_eq(backend_state_name(180000, 8), "?");
	ck_assert_str_eq(backend_state_name(150020, UINT32_MAX), "?");
}
END_TEST

/* --- names ------------------------------------------------------------------- */

static const char *name_of(const struct relations *relations, uint32_t kind, uint32_t number)
{
	const struct pgt_object file = FILE_OF(1663, 5, number, -1, 0, 0, 1);
	const struct pgt_object lock = LOCK_OF(5, number, 0, 0, 0, 1, 8, 0, { 0 });

	return relations_find(relations, kind == PGT_OBJECT_FILE ? &file : &lock);
}

START_TEST(names_are_found_by_file_and_by_oid)
{
	const struct pgt_object advisory = LOCK_OF(5, 16390, 0, 0, 10, 2, 7, 0, { 0 });
	const struct pgt_object elsewhere = FILE_OF(1663, 6, 16397, -1, 0, 0, 1);
	struct relations relations = { 0 };
	struct made made;
	size_t i;

	made_init(&made);
	made_relation(&made, 16397, 16390, "t", MADE_START_NS);
	made_relation(&made, 0, 16391, "a_view", MADE_START_NS);
	made_relation(&made, 16398, 16390, "renamed", MADE_START_NS);
	ck_assert_ptr_null(name_of(&relations, PGT_OBJECT_FILE, 16397));
	for (i = 0; i < made.count; i++)
		relations_learn(&relations, &made.events[i]);
	ck_assert_str_eq(name_of(&relations, PGT_OBJECT_FILE, 16397), "public.t");
	ck_assert_str_eq(name_of(&relations, PGT_OBJECT_FILE, 16398), "public.renamed");
	ck_assert_str_eq(name_of(&relations, PGT_OBJECT_LOCK, 16390), "public.renamed");
	ck_assert_str_eq(name_of(&relations, PGT_OBJECT_LOCK, 16391), "public.a_view");
	ck_assert_ptr_null(name_of(&relations, PGT_OBJECT_FILE, 0));
	ck_assert_ptr_null(name_of(&relations, PGT_OBJECT_LOCK, 16397));
	ck_assert_ptr_null(relations_find(&relations, &advisory));
	ck_assert_ptr_null(relations_find(&relations, &elsewhere));
	relations_release(&relations);
	made_release(&made);
}
END_TEST

/* More than are kept: the memory stays bounded, and what was told last is known. */
START_TEST(names_are_bounded)
{
	struct relations relations = { 0 };
	struct made made;
	uint32_t i;

	for (i = 1; i <= 100000; i++) {
		made_init(&made);
		made_relation(&made, i, i, "t", MADE_START_NS);
		relations_learn(&relations, &made.events[0]);
		made_release(&made);
		ck_assert_uint_le(relations.size, 65536);
		if (!name_of(&relations, PGT_OBJECT_FILE, i) || !name_of(&relations, PGT_OBJECT_LOCK, i))
			ck_abort_msg("relation %u is not known", i);
	}
	relations_release(&relations);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *tc = tcase_create("object");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, parameters_of_objects, 0, ROWS(objects));
	tcase_add_test(tc, states_of_versions);
	tcase_add_test(tc, names_are_found_by_file_and_by_oid);
	tcase_add_test(tc, names_are_bounded);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
