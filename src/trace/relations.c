/* SPDX-License-Identifier: PostgreSQL */
#include "trace/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define FIRST_SIZE 256
#define MOST_SLOTS 65536	/* then all is forgotten: a file that is not trusted shall not fill our memory */

/* enum LockTagType of storage/lock.h: these have a database in field 1 and a relation's oid in field 2. */
enum { TAG_RELATION = 0, TAG_EXTEND = 1, TAG_PAGE = 3, TAG_TUPLE = 4 };

enum key_kind { BY_FILE = 1, BY_OID };

struct relation_key {
	uint32_t kind, database, tablespace, number;
};

struct relation_slot {
	struct relation_key key;	/* kind 0: free */
	char *name;
};

static struct relation_slot *slot_of(const struct relations *relations, const struct relation_key *key)
{
	uint64_t hash = (key->number ^ (uint64_t)key->database << 20 ^ (uint64_t)key->kind << 50) *
			UINT64_C(0x9E3779B97F4A7C15);
	size_t at = (hash >> 32) & (relations->size - 1);

	while (relations->slots[at].key.kind && memcmp(&relations->slots[at].key, key, sizeof(*key)))
		at = (at + 1) & (relations->size - 1);
	return &relations->slots[at];
}

/* Room for one more, at most half of the slots being taken. */
static void make_room(struct relations *relations)
{
	struct relations old = *relations;
	size_t i;

	if (relations->size && relations->count < relations->size / 2)
		return;
	if (relations->size == MOST_SLOTS) {
		relations_release(relations);
		old = *relations;
	}
	relations->size = old.size ? old.size * 2 : FIRST_SIZE;
	relations->slots = xcalloc(relations->size, sizeof(*relations->slots));
	for (i = 0; i < old.size; i++)
		if (old.slots[i].key.kind)
			*slot_of(relations, &old.slots[i].key) = old.slots[i];
	free(old.slots);
}

static void put(struct relations *relations, struct relation_key key, const char *name)
{
	struct relation_slot *slot;

	make_room(relations);
	slot = slot_of(relations, &key);
	relations->count += !slot->key.kind;
	free(slot->name);
	*slot = (struct relation_slot){ key, xstrdup(name) };
}

void relations_learn(struct relations *relations, const struct event *ev)
{
	const struct pgt_relation *relation = ev->body;
	const char *schema = (const char *)(relation + 1);
	char *name = xasprintf("%.*s.%.*s", (int)relation->schema_length, schema, (int)relation->name_length,
			       schema + relation->schema_length);

	if (relation->file)
		put(relations, (struct relation_key){ BY_FILE, relation->database, relation->tablespace,
						      relation->file }, name);
	put(relations, (struct relation_key){ BY_OID, relation->database, 0, relation->oid }, name);
	free(name);
}

static bool make_key(const struct pgt_object *object, struct relation_key *key)
{
	const struct pgt_file *file = &object->file;
	const struct pgt_lock *lock = &object->lock;

	if (object->kind == PGT_OBJECT_FILE) {
		*key = (struct relation_key){ BY_FILE, file->database, file->tablespace, file->relation };
		return true;
	}
	if (object->kind != PGT_OBJECT_LOCK)
		return false;
	*key = (struct relation_key){ BY_OID, lock->field1, 0, lock->field2 };
	return lock->type == TAG_RELATION || lock->type == TAG_EXTEND || lock->type == TAG_PAGE ||
	       lock->type == TAG_TUPLE;
}

const char *relations_find(const struct relations *relations, const struct pgt_object *object)
{
	struct relation_key key;

	if (!relations->size || !make_key(object, &key))
		return NULL;
	return slot_of(relations, &key)->name;
}

void relations_release(struct relations *relations)
{
	size_t i;

	for (i = 0; i < relations->size; i++)
		free(relations->slots[i].name);
	free(relations->slots);
	memset(relations, 0, sizeof(*relations));
}
