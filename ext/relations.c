/* SPDX-License-Identifier: PostgreSQL */
/*
 * relations.c
 *	  PGT_RELATION records: which files and oids are which relation.
 *
 * What the server reads is told by file numbers, what it locks by oids; names are in
 * the catalogue of one database, which only a session in it can ask.  The session's
 * own caches answer: a relation that a statement uses is in them already.  Each is
 * looked up once; the server's own invalidation says when it must be again (another
 * file after TRUNCATE, another name, another index).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_tablespace_d.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "clock.h"
#include "compat.h"
#include "record_file.h"
#include "relations.h"
#include "session.h"

/*
 * The told ones: a hash table with open addressing.  When it is full no more are told
 * in this trace: to begin anew would cost a session with that many relations more
 * than their names are worth.
 */
#define TOLD_SIZE 16384			/* a power of two */
#define TOLD_MOST (TOLD_SIZE / 4 * 3)
#define FORGOTTEN ((Oid) 1)		/* no relation's oid (access/transam.h) */

static Oid	told[TOLD_SIZE];	/* InvalidOid: free */
static uint32 told_count;		/* slots that are not free */

static uint32
slot_of(Oid relation)
{
	uint32		at = (relation * UINT32_C(2654435761)) & (TOLD_SIZE - 1);

	while (told[at] != InvalidOid && told[at] != relation)
		at = (at + 1) & (TOLD_SIZE - 1);
	return at;
}

void
relations_forget(void)
{
	if (told_count > 0)
		memset(told, 0, sizeof(told));
	told_count = 0;
}

/* The server has taken a relation out of its cache (InvalidOid: all). */
static void
on_invalidation(Datum arg, Oid relation)
{
	uint32		at;

	if (told_count == 0)
		return;
	if (relation == InvalidOid)
	{
		relations_forget();
		return;
	}
	at = slot_of(relation);
	if (told[at] == relation)
		told[at] = FORGOTTEN;
}

static void
register_callback(void)
{
	static bool registered;

	if (!registered)
		CacheRegisterRelcacheCallback(on_invalidation, (Datum) 0);
	registered = true;
}

/* --- one relation ----------------------------------------------------------- */

static void
describe(const FormData_pg_class *form, Oid relation, struct pgt_relation *out)
{
	bool		mapped = form->relfilenode == 0 && RELKIND_HAS_STORAGE(form->relkind);

	memset(out, 0, sizeof(*out));
	out->oid = relation;
	out->kind = (unsigned char) form->relkind;
	out->database = form->relisshared ? InvalidOid : MyDatabaseId;
	out->tablespace = form->reltablespace ? form->reltablespace : MyDatabaseTableSpace;
	out->file = mapped ? compat_mapped_file(relation, form->relisshared) :
		form->relfilenode;
}

static void
write_record(struct pgt_relation *relation, const char *schema, const char *name)
{
	char	   *body;

	relation->schema_length = (uint16) strlen(schema);
	relation->name_length = (uint16) strlen(name);
	body = record_begin(PGT_RELATION, 0, 0,
						sizeof(*relation) + relation->schema_length + relation->name_length,
						clock_mono_ns());
	if (body == NULL)
		return;
	memcpy(body, relation, sizeof(*relation));
	body += sizeof(*relation);
	memcpy(body, schema, relation->schema_length);
	memcpy(body + relation->schema_length, name, relation->name_length);
	record_commit();
}

static void
write_one(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
	Form_pg_class form;
	struct pgt_relation relation;
	char	   *schema;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_class) GETSTRUCT(tuple);
	schema = get_namespace_name(form->relnamespace);
	describe(form, oid, &relation);
	/* The trace may have ended while catalogues were read. */
	if (schema != NULL && trace_id != 0)
		write_record(&relation, schema, NameStr(form->relname));
	if (schema != NULL)
		pfree(schema);
	ReleaseSysCache(tuple);
}

/* True: it is to be told now. */
static bool
is_new(Oid relation)
{
	uint32		at = slot_of(relation);

	if (told[at] == relation || told_count >= TOLD_MOST)
		return false;
	/* Before it is looked up, so that an invalidation from now on counts. */
	told[at] = relation;
	told_count++;
	return true;
}

/* --- what belongs to it ------------------------------------------------------ */

/* The table itself, its indexes and, in *toast, what holds its long values. */
static void
write_with_indexes(Oid oid, Oid *toast)
{
	Relation	relation;
	List	   *indexes = NIL;
	ListCell   *cell;

	*toast = InvalidOid;
	write_one(oid);
	relation = RelationIdGetRelation(oid);
	if (relation == NULL)
		return;
	*toast = relation->rd_rel->reltoastrelid;
	if (relation->rd_rel->relhasindex)
		indexes = RelationGetIndexList(relation);
	RelationClose(relation);
	foreach(cell, indexes)
	{
		if (is_new(lfirst_oid(cell)))
			write_one(lfirst_oid(cell));
	}
	list_free(indexes);
}

static void
write_all(Oid oid)
{
	Oid			toast,
				none;

	write_with_indexes(oid, &toast);
	if (OidIsValid(toast) && is_new(toast))
		write_with_indexes(toast, &none);
}

void
relations_write(List *rtable)
{
	ListCell   *cell;

	if (!(trace_level & PGT_LEVEL_WAITS))
		return;
	register_callback();
	foreach(cell, rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		if (rte->rtekind == RTE_RELATION && is_new(rte->relid))
			write_all(rte->relid);
	}
}
