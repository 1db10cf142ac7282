/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/objects.h"

#include <string.h>

#include "site/site.h"
#include "trace/waitnames.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096
#define TOUCH_MOST (UINT64_C(64) << 20)
#define ENTRY_TEXT 248		/* PgBackendStatus.st_activity_raw, as in kernel/lock.c */

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
 * Offsets in PGPROC and PROC_HDR and the size of PGPROC (storage/proc.h), and the size of PgBackendStatus
 * (utils/backend_status.h; pgstat.h in 13), as offsetof and sizeof say with the headers of 13, 15, 17 and 18 on 64-bit
 * Linux.  14 and 16 are rows by reading: they have the fields of 15 up to the last that is used here.  That a server is
 * built so is seen before it is believed (is_laid_out).
 */
static const struct layout {
	int version;
	uint32_t pid, number, wait_mode, leader, entry_size, proc_size;
	uint32_t count;		/* PROC_HDR.allProcCount, behind allProcs, which comes first */
	uint32_t first;		/* number of the first PgBackendStatus */
} layouts[] = {
	{ 13, 52, 60, 112, 816, 424, 856, 16, 1 },
	{ 14, 64, 76, 128, 840, 432, 880, 32, 1 },
	{ 15, 64, 76, 128, 840, 432, 880, 32, 1 },
	{ 16, 64, 76, 128, 840, 432, 880, 32, 1 },
	{ 17, 60, 68, 128, 848, 432, 888, 32, 0 },
	{ 18, 60, 68, 128, 792, 440, 832, 32, 0 },
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

static uint64_t read_pointer(const struct target *target, uint64_t addr)
{
	uint64_t pointer = 0;

	if (!addr || target_read(target, addr, &pointer, sizeof(pointer)))
		return 0;
	return pointer;
}

/* A fork may have other structures: the session's own process number must be found where we look for the others'. */
static bool is_laid_out(const struct target *target, const struct lock_work *work)
{
	uint64_t me = read_pointer(target, work->my_proc_addr), entry = read_pointer(target, work->my_entry_addr);
	uint32_t pid = 0, head[2] = { 0 };

	if (!me || target_read(target, me + work->proc_pid, &pid, sizeof(pid)) || pid != (uint32_t)target->own_pid)
		return false;
	return !entry || (!target_read(target, entry, head, sizeof(head)) && head[1] == pid);
}

static void plan_locks(const struct target *target, const struct image *image, struct objects *out)
{
	struct lock_work *work = &out->work;
	size_t i;

	for (i = 0; i < COUNT(layouts) && layouts[i].version != target->major_version; i++)
		;
	if (i == COUNT(layouts))
		return;
	work->my_proc_addr = variable(target, image, "MyProc");
	work->my_entry_addr = variable(target, image, "MyBEEntry");
	work->proc_pid = layouts[i].pid;
	if (!is_laid_out(target, work) || !add_probe(image, "ProcSleep", PROGRAM_LOCK, out))
		return;
	work->proc_number = layouts[i].number;
	work->proc_wait_mode = layouts[i].wait_mode;
	work->proc_leader = layouts[i].leader;
	work->entry_size = layouts[i].entry_size;
	memcpy(work->conflicts, conflicts, sizeof(conflicts));
	out->proc_size = layouts[i].proc_size;
	out->count_at = layouts[i].count;
	out->first_number = layouts[i].first;
	out->has_locks = true;
	out->has_texts = work->my_entry_addr;
}

/*
 * The program cannot wait for a page (bpf_probe_read_user), and the session has not touched the others' parts of shared
 * memory.  To read a page from here puts it into the session's page table: a byte of each will do.
 */
static void touch(const struct target *target, uint64_t start, uint64_t size)
{
	uint64_t at = start & ~(uint64_t)(PAGE - 1);
	char byte;

	if (!start || size > TOUCH_MOST)
		return;
	while (at < start + size && !target_read(target, at, &byte, sizeof(byte)))
		at += PAGE;
}

/* The texts lie in one piece, each as far from the next. */
static void touch_texts(const struct target *target, uint64_t entry, const struct objects *objects, uint32_t count)
{
	uint64_t first = read_pointer(target, entry + ENTRY_TEXT);
	uint64_t second = read_pointer(target, entry + objects->work.entry_size + ENTRY_TEXT);

	if (first && second > first)
		touch(target, first, (second - first) * count);
}

void objects_touch(const struct target *target, const struct image *image, const struct objects *objects)
{
	const struct lock_work *work = &objects->work;
	uint64_t global = read_pointer(target, variable(target, image, "ProcGlobal"));
	uint64_t me = read_pointer(target, work->my_proc_addr);
	uint64_t entry = read_pointer(target, work->my_entry_addr);
	uint32_t count = 0, number = 0;

	if (!objects->has_locks || !global ||
	    target_read(target, global + objects->count_at, &count, sizeof(count)))
		return;
	touch(target, read_pointer(target, global), (uint64_t)count * objects->proc_size);
	if (!me || !entry || target_read(target, me + work->proc_number, &number, sizeof(number)))
		return;
	number -= objects->first_number;
	if (number >= count)
		return;
	entry -= (uint64_t)number * work->entry_size;
	touch(target, entry, (uint64_t)count * work->entry_size);
	touch_texts(target, entry, objects, count);
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
