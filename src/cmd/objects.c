/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/objects.h"

#include <string.h>

#include "site/site.h"
#include "trace/waitnames.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Functions of src/backend/storage/smgr/md.c, by what their arguments are (storage/md.h of each version).  One that
 * a version does not have is not found.
 */
static const struct {
	const char *function;
	int first, last;	/* major versions */
	enum program_id program;
} functions[] = {
	{ "mdread",	    13, 16, PROGRAM_FILE_BLOCK },
	{ "mdwrite",	    13, 16, PROGRAM_FILE_BLOCK },
	{ "mdextend",	    13, 18, PROGRAM_FILE_BLOCK },
	{ "mdprefetch",	    13, 16, PROGRAM_FILE_BLOCK },
	{ "mdprefetch",	    17, 18, PROGRAM_FILE_BLOCKS4 },
	{ "mdwriteback",    13, 18, PROGRAM_FILE_BLOCKS4 },
	{ "mdzeroextend",   16, 18, PROGRAM_FILE_BLOCKS4 },
	{ "mdreadv",	    17, 18, PROGRAM_FILE_BLOCKS5 },
	{ "mdwritev",	    17, 18, PROGRAM_FILE_BLOCKS5 },
	{ "mdstartreadv",   18, 18, PROGRAM_FILE_AIO },
	{ "mdimmedsync",    13, 18, PROGRAM_FILE_WHOLE },
	{ "mdregistersync", 17, 18, PROGRAM_FILE_WHOLE },
	{ "mdtruncate",	    13, 18, PROGRAM_FILE_WHOLE },
};

/*
 * Offsets in PGPROC (storage/proc.h) and the size of PgBackendStatus (utils/backend_status.h; pgstat.h in 13),
 * as offsetof and sizeof say with the headers of 13, 15, 17 and 18 on 64-bit Linux.  14 and 16 have the fields of 15
 * up to the last that is used here.
 */
static const struct layout {
	int version;
	uint32_t pid, number, wait_mode, leader, entry_size;
} layouts[] = {
	{ 13, 52, 60, 112, 816, 424 },
	{ 14, 64, 76, 128, 840, 432 },
	{ 15, 64, 76, 128, 840, 432 },
	{ 16, 64, 76, 128, 840, 432 },
	{ 17, 60, 68, 128, 848, 432 },
	{ 18, 60, 68, 128, 792, 440 },
};

#define M(mode) (1u << (mode))

/*
 * LockConflicts of src/backend/storage/lmgr/lock.c: AccessShare 1, RowShare 2, RowExclusive 3, ShareUpdateExclusive 4,
 * Share 5, ShareRowExclusive 6, Exclusive 7, AccessExclusive 8.
 */
static const uint32_t conflicts[16] = {
	[1] = M(8),
	[2] = M(7) | M(8),
	[3] = M(5) | M(6) | M(7) | M(8),
	[4] = M(4) | M(5) | M(6) | M(7) | M(8),
	[5] = M(3) | M(4) | M(6) | M(7) | M(8),
	[6] = M(3) | M(4) | M(5) | M(6) | M(7) | M(8),
	[7] = M(2) | M(3) | M(4) | M(5) | M(6) | M(7) | M(8),
	[8] = M(1) | M(2) | M(3) | M(4) | M(5) | M(6) | M(7) | M(8),
};

static bool add_probe(const struct image *image, const char *function, enum program_id program, struct objects *out)
{
	struct probe probe = { .program = program };
	struct image_symbol symbol;
	enum site_cost cost;

	if (!image_symbol(image, function, &symbol) || !symbol.is_function ||
	    site_entry(image, symbol.vaddr, &probe.offset, &cost) || out->probe_count == OBJECT_PROBES_MAX)
		return false;
	out->probes[out->probe_count++] = probe;
	return true;
}

static void plan_files(int version, const struct image *image, struct objects *out)
{
	size_t i;

	out->file_base = waitnames_event((uint32_t)version * 10000, "DataFileExtend");
	if (!out->file_base)
		return;
	out->has_files = true;
	for (i = 0; i < COUNT(functions); i++)
		if (version >= functions[i].first && version <= functions[i].last &&
		    !add_probe(image, functions[i].function, functions[i].program, out))
			out->has_files = false;
}

/* Where the variable of that name is in the target's memory; 0: the server does not show it. */
static uint64_t variable(const struct target *target, const struct image *image, const char *name)
{
	struct image_symbol symbol;

	return image_symbol(image, name, &symbol) ? symbol.vaddr + target_bias(target, image) : 0;
}

static void plan_locks(const struct target *target, const struct image *image, struct objects *out)
{
	struct lock_work *work = &out->work;
	size_t i;

	for (i = 0; i < COUNT(layouts) && layouts[i].version != target->major_version; i++)
		;
	work->my_proc_addr = variable(target, image, "MyProc");
	if (i == COUNT(layouts) || !work->my_proc_addr || !add_probe(image, "ProcSleep", PROGRAM_LOCK, out))
		return;
	work->my_entry_addr = variable(target, image, "MyBEEntry");
	work->proc_pid = layouts[i].pid;
	work->proc_number = layouts[i].number;
	work->proc_wait_mode = layouts[i].wait_mode;
	work->proc_leader = layouts[i].leader;
	work->entry_size = layouts[i].entry_size;
	memcpy(work->conflicts, conflicts, sizeof(conflicts));
	out->has_locks = true;
	out->has_texts = work->my_entry_addr;
}

void objects_plan(const struct target *target, const struct image *image, struct objects *out)
{
	memset(out, 0, sizeof(*out));
	plan_files(target->major_version, image, out);
	plan_locks(target, image, out);
}

void objects_of_wait(const struct task_state *state, struct pgt_object *out)
{
	uint32_t n = state->event - state->object_base;

	memset(out, 0, sizeof(*out));
	/* As kernel/wait.c does when it ends. */
	if (n < 32 && state->object_events & 1u << n)
		*out = state->object;
}

void objects_describe(const struct objects *objects, struct strbuf *out)
{
	if (!objects->has_files)
		strbuf_addstr(out, ", NOT ALL RELATION FILES of waits are known");
	if (!objects->has_locks)
		strbuf_addstr(out, ", locks and blockers of lock waits are not known");
	else if (!objects->has_texts)
		strbuf_addstr(out, ", the statements of blockers are not known");
}
