/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the bodies of records must hold, and the way through their variable parts.
 *
 * event_check is the only place that decides whether a body may be trusted; whoever holds an
 * event that it has passed may use the iterators without looking at lengths again.
 */
#include "stmt/stmt.h"

#include "base/bytes.h"

/* The shape of a list body: a fixed part whose first word counts entries, then the entries. */
struct list {
	size_t fixed;		/* bytes before the first entry */
	size_t entry;		/* bytes of an entry's fixed part */
	size_t align;		/* entry and text together are padded to this */
	uint64_t (*text_length)(const void *entry);
};

static uint64_t wait_name_length(const void *entry)
{
	const struct pgt_wait_name *name = entry;

	return (uint64_t)name->type_length + name->name_length;
}

static uint64_t bind_length(const void *entry)
{
	return ((const struct pgt_bind *)entry)->length;
}

static uint64_t node_length(const void *entry)
{
	return ((const struct pgt_node *)entry)->text_length;
}

static const struct list wait_names = {
	sizeof(struct pgt_wait_names), sizeof(struct pgt_wait_name), 4, wait_name_length
};
static const struct list binds = {
	sizeof(struct pgt_binds), sizeof(struct pgt_bind), 8, bind_length
};
static const struct list nodes = {
	sizeof(struct pgt_plan), sizeof(struct pgt_node), 8, node_length
};

/*
 * A place in a list: how many entries lie before it and where in the body it is, in one word.  The
 * count is needed since a newer writer may put something behind the entries.
 */
#define PLACE(index, offset) ((uint64_t)(index) << 32 | (offset))
#define PLACE_INDEX(at) ((uint32_t)((uint64_t)(at) >> 32))
#define PLACE_OFFSET(at) ((uint32_t)(at))

_Static_assert(sizeof(size_t) == 8, "a place in a list fits size_t");
_Static_assert(PGT_MAX_RECORD < UINT32_MAX, "an offset fits half a place");

/*
 * The entry at *at (0: the first): copies its fixed part to out and moves *at behind it.  1: there was one;
 * 0: the list has ended; -1: the entry does not fit.
 */
static int list_next(const struct list *list, const struct event *ev, size_t *at, void *out, const char **text)
{
	uint32_t index = PLACE_INDEX(*at);
	size_t begin = *at ? PLACE_OFFSET(*at) : list->fixed;
	struct bytes b;
	uint64_t length;
	uint32_t count;

	memcpy(&count, ev->body, sizeof(count));
	if (index >= count)
		return 0;
	if (begin > ev->body_length || ev->body_length - begin < list->entry)
		return -1;
	b = bytes_of((const char *)ev->body + begin, ev->body_length - begin);
	bytes_get(&b, out, list->entry);
	length = list->text_length(out);
	if (length > bytes_left(&b))
		return -1;
	*text = (const char *)b.at;
	begin += list->entry + (size_t)length;
	/* The last entry's padding is the record's own and may reach past the body. */
	*at = PLACE(index + 1, (begin + list->align - 1) & ~(list->align - 1));
	return 1;
}

/* Walks the entries; each(), if given, looks at one (index from 0) and says what is wrong with it. */
static const char *list_check(const struct list *list, const struct event *ev,
			      const char *(*each)(const void *entry, uint32_t index))
{
	union {
		struct pgt_wait_name name;
		struct pgt_bind bind;
		struct pgt_node node;
	} entry;
	const char *text, *wrong;
	size_t at = 0;
	uint32_t i;
	int got;

	for (i = 0; (got = list_next(list, ev, &at, &entry, &text)) == 1; i++) {
		wrong = each ? each(&entry, i) : NULL;
		if (wrong)
			return wrong;
	}
	return got ? "it has fewer entries than it counts" : NULL;
}

static const char *check_wait_names(const struct event *ev)
{
	return list_check(&wait_names, ev, NULL);
}

static const char *check_binds(const struct event *ev)
{
	return list_check(&binds, ev, NULL);
}

static const char *check_node(const void *entry, uint32_t index)
{
	const struct pgt_node *node = entry;

	if (node->id != index + 1 || node->parent_id > index)
		return "its plan nodes are not in order";
	return NULL;
}

static const char *check_plan(const struct event *ev)
{
	return list_check(&nodes, ev, check_node);
}

static const char *check_text(const struct event *ev)
{
	const struct pgt_text *text = ev->body;

	return text->length > ev->body_length - sizeof(*text) ? "its text is longer than the record" : NULL;
}

static const char *check_note(const struct event *ev)
{
	const struct pgt_note *note = ev->body;

	return note->length > ev->body_length - sizeof(*note) ? "its text is longer than the record" : NULL;
}

static const char *check_error(const struct event *ev)
{
	const struct pgt_error *error = ev->body;
	uint64_t length = (uint64_t)error->message_length + error->statement_length;

	return length > ev->body_length - sizeof(*error) ? "its message is longer than the record" : NULL;
}

static const char *check_call(const struct event *ev)
{
	const struct pgt_call *call = ev->body;

	return call->end_ns < call->start_ns ? "its call ends before it begins" : NULL;
}

static const char *check_wait(const struct event *ev)
{
	const struct pgt_wait *wait = ev->body;

	return ev->head.time_ns < wait->start_ns ? "its wait ends before it begins" : NULL;
}

static const char *check_relation(const struct event *ev)
{
	const struct pgt_relation *relation = ev->body;
	size_t length = (size_t)relation->schema_length + relation->name_length;

	return length > ev->body_length - sizeof(*relation) ? "its name is longer than the record" : NULL;
}

static const char *check_blocker(const struct event *ev)
{
	const struct pgt_blocker *blocker = ev->body;

	return blocker->length > ev->body_length - sizeof(*blocker) ? "its text is longer than the record" : NULL;
}

static const struct {
	size_t fixed;		/* smallest body */
	const char *(*check)(const struct event *ev);
} kinds[PGT_KINDS] = {
	[PGT_SESSION]	 = { sizeof(struct pgt_session),    NULL },
	[PGT_WAIT_NAMES] = { sizeof(struct pgt_wait_names), check_wait_names },
	[PGT_TEXT]	 = { sizeof(struct pgt_text),	    check_text },
	[PGT_BEGIN]	 = { sizeof(struct pgt_begin),	    NULL },
	[PGT_CALL]	 = { sizeof(struct pgt_call),	    check_call },
	[PGT_BINDS]	 = { sizeof(struct pgt_binds),	    check_binds },
	[PGT_PLAN]	 = { sizeof(struct pgt_plan),	    check_plan },
	[PGT_XACT]	 = { sizeof(struct pgt_xact),	    NULL },
	[PGT_ERROR]	 = { sizeof(struct pgt_error),	    check_error },
	[PGT_CLOCK]	 = { sizeof(struct pgt_clock),	    NULL },
	[PGT_LOSS]	 = { offsetof(struct pgt_loss, until_ns), NULL },
	[PGT_WAIT]	 = { PGT_WAIT_SHORT,		    check_wait },
	[PGT_NOTE]	 = { sizeof(struct pgt_note),	    check_note },
	[PGT_END]	 = { sizeof(struct pgt_end),	    NULL },
	[PGT_WATCH]	 = { sizeof(struct pgt_watch),	    check_note },
	[PGT_RELATION]	 = { sizeof(struct pgt_relation),   check_relation },
	[PGT_BLOCKER]	 = { sizeof(struct pgt_blocker),    check_blocker },
};

const char *event_check(const struct event *ev)
{
	if (ev->head.kind >= PGT_KINDS)
		return NULL;
	if (ev->body_length < kinds[ev->head.kind].fixed)
		return "it is shorter than its kind";
	return kinds[ev->head.kind].check ? kinds[ev->head.kind].check(ev) : NULL;
}

const char *event_text(const struct event *ev, size_t *length)
{
	const struct pgt_text *text = ev->body;
	const struct pgt_note *note = ev->body;
	const struct pgt_error *error = ev->body;
	const struct pgt_blocker *blocker = ev->body;

	switch (ev->head.kind) {
	case PGT_TEXT:
		*length = text->length;
		return (const char *)(text + 1);
	case PGT_NOTE:
	case PGT_WATCH:
		*length = note->length;
		return (const char *)(note + 1);
	case PGT_ERROR:
		*length = error->message_length;
		return (const char *)(error + 1);
	case PGT_BLOCKER:
		*length = blocker->length;
		return (const char *)(blocker + 1);
	}
	*length = 0;
	return "";
}

const struct pgt_object *event_object(const struct event *ev)
{
	const struct pgt_wait *wait = ev->body;

	return ev->body_length >= sizeof(*wait) && wait->object.kind ? &wait->object : NULL;
}

_Static_assert(sizeof(struct pgt_watch) == sizeof(struct pgt_note), "a watch is read as a note is");

uint64_t event_loss_until(const struct event *ev)
{
	const struct pgt_loss *loss = ev->body;

	return ev->body_length >= sizeof(*loss) ? loss->until_ns : 0;
}

const char *event_error_statement(const struct event *ev, size_t *length)
{
	const struct pgt_error *error = ev->body;

	*length = error->statement_length;
	return (const char *)(error + 1) + error->message_length;
}

bool event_next_wait_name(const struct event *ev, size_t *at, struct pgt_wait_name *out, const char **text)
{
	return list_next(&wait_names, ev, at, out, text) == 1;
}

bool event_next_bind(const struct event *ev, size_t *at, struct pgt_bind *out, const char **text)
{
	return list_next(&binds, ev, at, out, text) == 1;
}

bool event_next_node(const struct event *ev, size_t *at, struct pgt_node *out, const char **text)
{
	return list_next(&nodes, ev, at, out, text) == 1;
}
