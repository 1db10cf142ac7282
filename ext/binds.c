/* SPDX-License-Identifier: PostgreSQL */
/*
 * binds.c
 *	  PGT_BINDS records.
 *
 * A value becomes text in one of three ways: the commonest types are written here,
 * text-like types are sliced without being made whole, all others go through their
 * output function, in a context that is reset afterwards.  An output function is
 * foreign code: it may raise, and may have done anything before.  So those of types
 * that are not built in run in a subtransaction, which is what cleans up after an
 * error.
 *
 * The record is put together in a buffer first, because nothing that may raise can
 * happen between record_begin() and record_commit().
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "binds.h"
#include "calls.h"
#include "clock.h"
#include "guc.h"
#include "record_file.h"
#include "session.h"

/* A stored value above this, of a type that cannot be sliced, is not made text. */
#define MAX_STORED_SIZE (1024 * 1024)

/* Buffers above this are given back. */
#define KEPT_BUFFER (64 * 1024)

typedef struct BindValue
{
	Oid			type;
	Datum		datum;
	uint32		flags;			/* PGT_BIND_* */
	const char *text;			/* in the caller's memory, or in a scratch context */
	uint32		length;			/* of text */
	uint64		true_length;
} BindValue;

static MemoryContext scratch;	/* what a value needs; reset after each record */
static char *buffer;			/* the record's body */
static Size buffer_size;
static Size buffer_used;

/* --- the buffer ------------------------------------------------------------- */

static bool
reserve(Size more)
{
	Size		size = Max(buffer_size, 1024);
	char	   *p;

	if (buffer_used + more <= buffer_size)
		return true;
	while (size < buffer_used + more)
		size *= 2;
	p = MemoryContextAllocExtended(TopMemoryContext, size,
								   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
	if (p == NULL)
		return false;
	if (buffer != NULL)
	{
		memcpy(p, buffer, buffer_used);
		pfree(buffer);
	}
	buffer = p;
	buffer_size = size;
	return true;
}

static bool
append(const BindValue *v)
{
	Size		size = TYPEALIGN(8, sizeof(struct pgt_bind) + v->length);
	struct pgt_bind *b;

	if (!reserve(size))
		return false;
	b = (struct pgt_bind *) (buffer + buffer_used);
	/* The padding. */
	*(uint64 *) ((char *) b + size - sizeof(uint64)) = 0;
	b->type_oid = v->type;
	b->flags = v->flags;
	b->length = v->length;
	b->unused = 0;
	b->true_length = v->true_length;
	if (v->length > 0)
		memcpy(b + 1, v->text, v->length);
	buffer_used += size;
	return true;
}

/* --- a value's text --------------------------------------------------------- */

/* The text is there; how much of it is wanted? */
static void
set_text(BindValue *v, const char *text, Size length, uint64 true_length)
{
	v->text = text;
	v->true_length = true_length;
	if (length > (Size) guc_bind_max_length)
		length = (Size) pg_mbcliplen(text, (int) Min(length, PG_INT32_MAX),
									 guc_bind_max_length);
	v->length = (uint32) length;
	if (length < true_length)
	{
		v->flags |= PGT_BIND_CUT;
		record_header()->cut_values++;
	}
}

/* At least the wanted part of a varlena, and a character more. */
static struct varlena *
slice(Datum datum, int32 wanted)
{
	struct varlena *p = (struct varlena *) DatumGetPointer(datum);

	if (!VARATT_IS_EXTENDED(p) || VARATT_IS_SHORT(p))
		return p;
	return detoast_attr_slice(p, 0, wanted + MAX_MULTIBYTE_CHAR_LEN);
}

static void
print_text(BindValue *v)
{
	Size		whole = toast_raw_datum_size(v->datum) - VARHDRSZ;
	struct varlena *p = slice(v->datum, guc_bind_max_length);

	set_text(v, VARDATA_ANY(p), VARSIZE_ANY_EXHDR(p), whole);
}

/* As byteaout writes it with bytea_output = hex. */
static void
print_bytea(BindValue *v)
{
	Size		whole = toast_raw_datum_size(v->datum) - VARHDRSZ;
	struct varlena *p = slice(v->datum, guc_bind_max_length / 2 + 1);
	Size		n = Min(VARSIZE_ANY_EXHDR(p), (Size) guc_bind_max_length / 2 + 1);
	char	   *text = palloc(2 * n + 2);

	text[0] = '\\';
	text[1] = 'x';
	hex_encode(VARDATA_ANY(p), n, text + 2);
	set_text(v, text, 2 * n + 2, 2 * (uint64) whole + 2);
}

static void
print_integer(BindValue *v)
{
	char	   *text = palloc(32);
	int64		i = v->type == INT2OID ? DatumGetInt16(v->datum) :
		v->type == INT4OID ? DatumGetInt32(v->datum) : DatumGetInt64(v->datum);

	(void) pg_lltoa(i, text);
	set_text(v, text, strlen(text), strlen(text));
}

static void
print_bool(BindValue *v)
{
	set_text(v, DatumGetBool(v->datum) ? "t" : "f", 1, 1);
}

static void
print_by_output(BindValue *v)
{
	Oid			output;
	bool		is_varlena;
	int16		type_length = get_typlen(v->type);
	char	   *text;

	if (type_length == -1)
	{
		Size		stored = toast_raw_datum_size(v->datum);

		if (stored > MAX_STORED_SIZE)
		{
			set_text(v, "", 0, stored);
			return;
		}
		v->datum = MakeExpandedObjectReadOnly(v->datum, false, type_length);
	}
	getTypeOutputInfo(v->type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, v->datum);
	set_text(v, text, strlen(text), strlen(text));
}

typedef struct Printer
{
	Oid			type;
	void		(*print) (BindValue *v);
} Printer;

static const Printer printers[] = {
	{INT4OID, print_integer},
	{INT8OID, print_integer},
	{TEXTOID, print_text},
	{VARCHAROID, print_text},
	{INT2OID, print_integer},
	{BOOLOID, print_bool},
	{BPCHAROID, print_text},
	{JSONOID, print_text},
	{XMLOID, print_text},
	{BYTEAOID, print_bytea},
};

static void
print(BindValue *v)
{
	for (int i = 0; i < lengthof(printers); i++)
	{
		if (printers[i].type == v->type)
		{
			printers[i].print(v);
			return;
		}
	}
	print_by_output(v);
}

/* --- errors of output functions --------------------------------------------- */

/* Cancel, shutdown: not the value's fault. */
static bool
is_operator_intervention(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_OPERATOR_INTERVENTION;
}

static void
value_failed(BindValue *v)
{
	v->flags |= PGT_BIND_FAILED;
	v->flags &= ~PGT_BIND_CUT;
	v->text = NULL;
	v->length = 0;
	v->true_length = 0;
	record_header()->failed_values++;
}

/* Prints; returns false after an error, which is flushed unless it is an operator's. */
static bool
try_print(BindValue *v)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool good = true;

	trace_suspended = true;
	PG_TRY();
	{
		print(v);
	}
	PG_CATCH();
	{
		trace_suspended = false;
		if (is_operator_intervention(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(old);
		FlushErrorState();
		good = false;
	}
	PG_END_TRY();
	trace_suspended = false;
	return good;
}

/*
 * The same in a subtransaction, which undoes what the output function had done when
 * it raised.
 */
static bool
try_print_in_subtransaction(BindValue *v)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		good;

	trace_suspended = true;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	good = try_print(v);
	trace_suspended = true;
	if (good)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	trace_suspended = false;
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	return good;
}

static void
print_safely(BindValue *v)
{
	bool		foreign = v->type >= FirstNormalObjectId;
	bool		good;

	if (foreign && IsTransactionState() && !IsInParallelMode())
		good = try_print_in_subtransaction(v);
	else
		good = try_print(v);
	if (!good)
		value_failed(v);
}

/* --- the record ------------------------------------------------------------- */

/*
 * A parameter may be made on demand (PL/pgSQL's variables); "speculative" means
 * that one the statement does not use is not made.
 */
static void
get_value(ParamListInfo params, int i, BindValue *v)
{
	ParamExternData workspace;
	ParamExternData *p = &params->params[i];

	if (params->paramFetch != NULL)
		p = params->paramFetch(params, i + 1, true, &workspace);
	memset(v, 0, sizeof(*v));
	v->type = p->ptype;
	v->datum = p->value;
	if (!OidIsValid(p->ptype))
		v->flags = PGT_BIND_UNSET;
	else if (p->isnull)
		v->flags = PGT_BIND_NULL;
	else if (guc_redact_binds)
		v->flags = PGT_BIND_REDACTED;
	else
		print_safely(v);
}

static bool
collect(ParamListInfo params)
{
	struct pgt_binds *head;

	buffer_used = 0;
	if (!reserve(sizeof(*head)))
		return false;
	buffer_used = sizeof(*head);
	for (int i = 0; i < params->numParams; i++)
	{
		BindValue	v;

		get_value(params, i, &v);
		if (!append(&v))
			return false;
	}
	head = (struct pgt_binds *) buffer;
	head->count = (uint32) params->numParams;
	head->unused = 0;
	return true;
}

static void
write_buffer(uint32 cursor)
{
	void	   *body = record_begin(PGT_BINDS, cursor, calls_depth(), buffer_used,
									clock_mono_ns());

	if (body != NULL)
	{
		memcpy(body, buffer, buffer_used);
		record_commit();
	}
	if (buffer_size > KEPT_BUFFER)
	{
		pfree(buffer);
		buffer = NULL;
		buffer_size = 0;
	}
}

void
binds_write(uint32 cursor, ParamListInfo params)
{
	MemoryContext old;

	if (params->numParams == 0)
		return;
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_trace binds",
										ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	if (collect(params))
		write_buffer(cursor);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
}
