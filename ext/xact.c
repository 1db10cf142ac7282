/* SPDX-License-Identifier: PostgreSQL */
/*
 * xact.c
 *	  PGT_XACT records.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"

#include "calls.h"
#include "clock.h"
#include "errors.h"
#include "queries.h"
#include "record_file.h"
#include "session.h"
#include "xact.h"

static void
write_xact(enum pgt_xact_event event, SubTransactionId subxact)
{
	struct pgt_xact *x = record_begin(PGT_XACT, 0, calls_depth(), sizeof(*x),
									  clock_mono_ns());

	if (x == NULL)
		return;
	x->event = event;
	x->xid = GetTopTransactionIdIfAny();
	x->subxact = subxact;
	x->unused = 0;
	record_commit();
}

/* The transaction's id is still there at each of these events. */
static void
on_xact(XactEvent event, void *arg)
{
	static const uint8 records[] = {
		[XACT_EVENT_COMMIT] = PGT_XACT_COMMIT,
		[XACT_EVENT_ABORT] = PGT_XACT_ROLLBACK,
		[XACT_EVENT_PREPARE] = PGT_XACT_PREPARE,
	};

	if (trace_id == 0 || event >= lengthof(records) || records[event] == 0)
		return;
	errors_settled();
	if (proc_exit_inprogress)
		calls_abandon();
	queries_settle(NULL);
	if (event == XACT_EVENT_ABORT)
		queries_abort(TopSubTransactionId);
	write_xact(records[event], 0);
}

static void
on_subxact(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
		   void *arg)
{
	/* One that is ours does not concern the reader. */
	if (trace_id == 0 || trace_suspended)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		errors_settled();
		queries_settle(NULL);
		queries_abort(id);
		write_xact(PGT_XACT_SUBROLLBACK, id);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		queries_settle(NULL);
		write_xact(PGT_XACT_SUBCOMMIT, id);
	}
}

void
xact_init(void)
{
	RegisterXactCallback(on_xact, NULL);
	RegisterSubXactCallback(on_subxact, NULL);
}
