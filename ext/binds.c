/* SPDX-License-Identifier: PostgreSQL */
/*
 * binds.c
 *	  PGT_BINDS records.
 *
 * A value becomes text in one of three ways: the commonest types are written here,
 * text-like types are sliced without being made whole, all others go through their
 * output function, in a context that is reset afterwards.  An output function may
 * raise, and may have done anything before: one of a built-in type may call that of
 * another (records, arrays), read tables (regclass), take locks.  So all run in a
 * subtransaction, which is what cleans up after an error, but for a few that are known
 * to do nothing but palloc(); those are called without a look into the catalogs.  A
 * value that is stored out of line is fetched in a subtransaction too.
 *
 * The record is put together in a buffer first, because nothing that may raise can
 * happen between record_begin() and record_commit().
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/fmgrprotos.h"
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
	const struct Printer *printer;	/* NULL: by the type's output function */
} BindValue;

typedef struct Printer
{
	Oid			type;
	bool		varlena;		/* may be stored out of line */
	void		(*print) (BindValue *v);
	PGFunction	output;			/* for print_direct */
} Printer;

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

/* Too long to be made text as a whole?  Then its size is all that is told. */
static bool
is_too_long(BindValue *v)
{
	Size		stored = toast_raw_datum_size(v->datum);

	if (stored <= MAX_STORED_SIZE)
		return false;
	set_text(v, "", 0, stored);
	return true;
}

static void
print_direct(BindValue *v)
{
	char	   *text;

	if (v->printer->varlena && is_too_long(v))
		return;
	text = DatumGetCString(DirectFunctionCall1(v->printer->output, v->datum));
	set_text(v, text, strlen(text), strlen(text));
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
		if (is_too_long(v))
			return;
		v->datum = MakeExpandedObjectReadOnly(v->datum, false, type_length);
	}
	getTypeOutputInfo(v->type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, v->datum);
	set_text(v, text, strlen(text), strlen(text));
}

/* The direct ones look at nothing but the value and settings, and use no fn_extra. */
static const Printer printers[] = {
	{INT4OID, false, print_integer, NULL},
	{INT8OID, false, print_integer, NULL},
	{TEXTOID, true, print_text, NULL},
	{VARCHAROID, true, print_text, NULL},
	{INT2OID, false, print_integer, NULL},
	{BOOLOID, false, print_bool, NULL},
	{NUMERICOID, true, print_direct, numeric_out},
	{TIMESTAMPTZOID, false, print_direct, timestamptz_out},
	{TIMESTAMPOID, false, print_direct, timestamp_out},
	{DATEOID, false, print_direct, date_out},
	{FLOAT8OID, false, print_direct, float8out},
	{UUIDOID, false, print_direct, uuid_out},
	{OIDOID, false, print_direct, oidout},
	{BPCHAROID, true, print_text, NULL},
	{JSONOID, true, print_text, NULL},
	{JSONBOID, true, print_direct, jsonb_out},
	{XMLOID, true, print_text, NULL},
	{BYTEAOID, true, print_bytea, NULL},
	{FLOAT4OID, false, print_direct, float4out},
	{NAMEOID, false, print_direct, nameout},
	{CHAROID, false, print_direct, charout},
	{TIMEOID, false, print_direct, time_out},
	{TIMETZOID, false, print_direct, timetz_out},
	{INTERVALOID, false, print_direct, interval_out},
	{INETOID, true, print_direct, inet_out},
	{CIDROID, true, print_direct, cidr_out},
	{BITOID, true, print_direct, bit_out},
	{VARBITOID, true, print_direct, varbit_out},
	{XIDOID, false, print_direct, xidout},
	{TIDOID, false, print_direct, tidout},
	{UNKNOWNOID, false, print_direct, unknownout},
};

static const Printer *
printer_of(Oid type)
{
	for (int i = 0; i < lengthof(printers); i++)
		if (printers[i].type == type)
			return &printers[i];
	return NULL;
}

static void
print(BindValue *v)
{
	if (v->printer != NULL)
		v->printer->print(v);
	else
		print_by_output(v);
}

/* --- errors of output functions --------------------------------------------- */

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

/*
 * In PG_CATCH: the error is gone.  Returned if it is a cancel, which is not the
 * value's fault and must be raised again.
 */
static ErrorData *
take_error(MemoryContext context)
{
	ErrorData  *cancel = NULL;

	MemoryContextSwitchTo(context);
	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION)
		cancel = CopyErrorData();
	FlushErrorState();
	return cancel;
}

/* Prints; false after an error, *cancel as take_error() gives it. */
static bool
try_print(BindValue *v, ErrorData **cancel)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool good = false;

	PG_TRY();
	{
		print(v);
		good = true;
	}
	PG_CATCH();
	{
		*cancel = take_error(old);
	}
	PG_END_TRY();
	return good;
}

/*
 * The same in a subtransaction, which undoes what the output function had done when
 * it raised.  Whatever happens, the subtransaction is no more afterwards: an exception
 * block of the user's, which may catch a cancel, would otherwise roll back ours for
 * its own.
 */
static bool
try_print_in_subtransaction(BindValue *v, ErrorData **cancel)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool good = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		print(v);
		ReleaseCurrentSubTransaction();
		good = true;
	}
	PG_CATCH();
	{
		*cancel = take_error(old);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	return good;
}

/* Can printing do nothing that would have to be undone? */
static bool
is_harmless(const BindValue *v)
{
	return v->printer != NULL &&
		!(v->printer->varlena &&
		  VARATT_IS_EXTERNAL((struct varlena *) DatumGetPointer(v->datum)));
}

static bool
print_somehow(BindValue *v, ErrorData **cancel)
{
	if (is_harmless(v))
		return try_print(v, cancel);
	/* Where there can be no subtransaction, it is not tried. */
	if (!IsTransactionState() || IsInParallelMode())
		return false;
	return try_print_in_subtransaction(v, cancel);
}

static void
print_safely(BindValue *v)
{
	ErrorData  *cancel = NULL;
	volatile bool good = false;

	v->printer = printer_of(v->type);
	trace_suspended = true;
	PG_TRY();
	{
		good = print_somehow(v, &cancel);
	}
	PG_FINALLY();
	{
		trace_suspended = false;
	}
	PG_END_TRY();
	if (cancel != NULL)
		ReThrowError(cancel);
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
