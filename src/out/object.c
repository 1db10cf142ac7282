/* SPDX-License-Identifier: PostgreSQL */
#include "out/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct params {
	struct object_param *at;
	size_t count;
};

static struct object_param *add(struct params *p, const char *name)
{
	struct object_param *param = &p->at[p->count++];

	*param = (struct object_param){ .name = name };
	param->text = param->room;
	return param;
}

static void add_number(struct params *p, const char *name, int64_t number)
{
	struct object_param *param = add(p, name);

	param->is_number = true;
	param->number = number;
}

static void add_text(struct params *p, const char *name, const char *text)
{
	add(p, name)->text = text;
}

/* --- relation files ---------------------------------------------------------- */

enum { SPACE_DEFAULT = 1663, SPACE_GLOBAL = 1664 };	/* catalog/pg_tablespace.dat */

/* CATALOG_VERSION_NO of catalog/catversion.h, which is in the name of a tablespace's folder. */
static const struct {
	uint32_t major, catalog_version;
} versions[] = {
	{ 13, 202007201 }, { 14, 202107181 }, { 15, 202209061 },
	{ 16, 202307071 }, { 17, 202406281 }, { 18, 202506291 },
};

/* GetRelationPath() in common/relpath.c, up to the fork. */
static int put_folder(char *out, size_t size, const struct pgt_file *file, uint32_t major)
{
	size_t i;

	if (file->tablespace == SPACE_GLOBAL)
		return snprintf(out, size, "global/");
	if (file->tablespace == SPACE_DEFAULT)
		return snprintf(out, size, "base/%" PRIu32 "/", file->database);
	for (i = 0; i < COUNT(versions) && versions[i].major != major; i++)
		;
	if (i == COUNT(versions))
		return snprintf(out, size, "pg_tblspc/%" PRIu32 "/?/%" PRIu32 "/", file->tablespace, file->database);
	return snprintf(out, size, "pg_tblspc/%" PRIu32 "/PG_%" PRIu32 "_%" PRIu32 "/%" PRIu32 "/", file->tablespace,
			major, versions[i].catalog_version, file->database);
}

static void add_path(struct params *p, const struct pgt_file *file, const char *fork, uint32_t major)
{
	struct object_param *param = add(p, "file");
	char temporary[16] = "";
	int used = put_folder(param->room, sizeof(param->room), file, major);

	if (file->backend != -1)
		snprintf(temporary, sizeof(temporary), "t%" PRId32 "_", file->backend);
	snprintf(param->room + used, sizeof(param->room) - (size_t)used, "%s%" PRIu32 "%s%s", temporary,
		 file->relation, file->fork ? "_" : "", file->fork ? fork : "");
}

static void add_file(struct params *p, const struct trace_event *te)
{
	static const char *const forks[] = { "main", "fsm", "vm", "init" };
	const struct pgt_file *file = &te->object->file;
	const char *fork = file->fork < COUNT(forks) ? forks[file->fork] : "?";

	if (te->relation)
		add_text(p, "rel", te->relation);
	add_text(p, "fork", fork);
	if (file->blocks) {
		add_number(p, "block", file->block);
		add_number(p, "blocks", file->blocks);
	}
	add_path(p, file, fork, te->session->info.server_version_num / 10000);
}

/* --- locks ------------------------------------------------------------------- */

enum { FIELDS = 4 };

/*
 * By enum LockTagType (storage/lock.h): what the tag's fields are.  A relation's oid is told where its name is
 * not known.
 */
static const char *const tag_fields[][FIELDS] = {
	{ "database", "relation" },			/* relation */
	{ "database", "relation" },			/* extend */
	{ "database" },					/* frozenid */
	{ "database", "relation", "page" },
	{ "database", "relation", "page", "tuple" },
	{ "xid" },
	{ "backend", "lxid" },				/* virtualxid */
	{ "xid", "token" },				/* spectoken */
	{ "database", "class", "object", "subobject" },
	{ "field1", "field2", "field3", "field4" },	/* userlock */
	{ "database", "key1", "key2", "keys" },		/* advisory; keys: 1 one of 64 bits, 2 two of 32 */
	{ "database", "subscription", "xid", "object" },	/* applytransaction */
};

/* storage/lockdefs.h */
static const char *const modes[] = {
	"NoLock", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
	"ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
};

static bool is_relation(const char *field)
{
	return !strcmp(field, "database") || !strcmp(field, "relation");
}

static void add_tag(struct params *p, const struct pgt_lock *lock, bool named)
{
	const uint32_t values[FIELDS] = { lock->field1, lock->field2, lock->field3, lock->field4 };
	const char *const *fields;
	size_t i;

	if (lock->type >= COUNT(tag_fields)) {
		add_number(p, "locktype", lock->type);
		fields = tag_fields[9];
	} else {
		fields = tag_fields[lock->type];
	}
	for (i = 0; i < FIELDS && fields[i]; i++)
		if (!named || !is_relation(fields[i]))
			add_number(p, fields[i], values[i]);
}

size_t object_blockers(const struct pgt_object *object)
{
	uint32_t count = object->lock.blockers & ~PGT_LOCK_AT_LEAST;

	if (object->kind != PGT_OBJECT_LOCK || object->lock.blockers == PGT_LOCK_UNKNOWN)
		return 0;
	return count < PGT_LOCK_BLOCKERS ? count : PGT_LOCK_BLOCKERS;
}

/* "4711,4712"; "?": not known; behind more than we remember: ",+3", or ",+60.." for so many or more. */
static void add_blockers(struct params *p, const struct pgt_object *object)
{
	struct object_param *param = add(p, "blockers");
	uint32_t count = object->lock.blockers & ~PGT_LOCK_AT_LEAST;
	bool at_least = object->lock.blockers & PGT_LOCK_AT_LEAST;
	size_t known = object_blockers(object), used = 0, i;

	if (!known)
		param->text = object->lock.blockers ? "?" : "none";
	for (i = 0; i < known; i++)
		used += (size_t)snprintf(param->room + used, sizeof(param->room) - used, "%s%" PRIu32, i ? "," : "",
					 object->lock.pids[i]);
	if (known && (count > known || at_least))
		snprintf(param->room + used, sizeof(param->room) - used, ",+%" PRIu32 "%s", count - (uint32_t)known,
			 at_least ? ".." : "");
}

static void add_lock(struct params *p, const struct trace_event *te)
{
	const struct pgt_lock *lock = &te->object->lock;

	add_text(p, "mode", lock->mode < COUNT(modes) ? modes[lock->mode] : "?");
	if (te->relation)
		add_text(p, "rel", te->relation);
	add_tag(p, lock, te->relation);
	add_blockers(p, te->object);
}

size_t object_params(const struct trace_event *te, struct object_param params[OBJECT_PARAMS])
{
	struct params p = { params, 0 };

	if (te->object->kind == PGT_OBJECT_FILE)
		add_file(&p, te);
	else if (te->object->kind == PGT_OBJECT_LOCK)
		add_lock(&p, te);
	return p.count;
}

/* enum BackendState: utils/backend_status.h (pgstat.h in 13); 18 put STATE_STARTING before STATE_IDLE. */
const char *backend_state_name(uint32_t server_version_num, uint32_t state)
{
	static const char *const names[] = {
		"?", "starting", "idle", "active", "idle in transaction", "fastpath function call",
		"idle in transaction (aborted)", "disabled",
	};

	if (server_version_num < 180000 && state)
		state++;
	return state < COUNT(names) ? names[state] : "?";
}
