/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "out/put.h"
#include "out/text.h"

/* A deeper tree is not indented further: the output stays linear in the input. */
#define MAX_INDENT 40

static void put_indent(FILE *out, unsigned int depth)
{
	unsigned int i;

	for (i = 0; i < depth; i++)
		put_str(out, "   ");
}

static void put_rows(FILE *out, const struct pgt_node *node, bool actuals)
{
	fprintf(out, "Rows: planned=%.0f", node->plan_rows);
	if (actuals)
		fprintf(out, " actual=%.0f loops=%.0f", node->rows, node->loops);
	if (actuals && node->filtered > 0)
		fprintf(out, " filtered=%.0f", node->filtered);
	fprintf(out, " cost=%.2f..%.2f width=%u", node->startup_cost, node->total_cost, node->plan_width);
	if (node->workers_launched)
		fprintf(out, " workers=%u", node->workers_launched);
	putc_unlocked('\n', out);
}

static void put_time(FILE *out, const struct pgt_node *node)
{
	put_str(out, "Time: startup=");
	put_fixed(out, (int64_t)(node->startup_ns / 1000), 3);
	put_str(out, " total=");
	put_fixed(out, (int64_t)(node->total_ns / 1000), 3);
	put_str(out, " ms\n");
}

static void put_blocks(FILE *out, const char *kind, int64_t hit, int64_t read, int64_t dirtied, int64_t written)
{
	put_str(out, kind);
	put_str(out, " hit=");
	put_i64(out, hit);
	put_str(out, " read=");
	put_i64(out, read);
	put_str(out, " dirtied=");
	put_i64(out, dirtied);
	put_str(out, " written=");
	put_i64(out, written);
}

static void put_buffers(FILE *out, const struct pgt_usage *u)
{
	put_blocks(out, "Buffers: shared", u->shared_hit, u->shared_read, u->shared_dirtied, u->shared_written);
	if (u->local_hit | u->local_read | u->local_dirtied | u->local_written)
		put_blocks(out, ", local", u->local_hit, u->local_read, u->local_dirtied, u->local_written);
	if (u->temp_read | u->temp_written) {
		put_str(out, ", temp read=");
		put_i64(out, u->temp_read);
		put_str(out, " written=");
		put_i64(out, u->temp_written);
	}
	putc_unlocked('\n', out);
}

static void put_node(FILE *out, const struct pgt_node *node, const char *line, unsigned int depth, uint32_t flags)
{
	put_indent(out, depth);
	put_str(out, "-> ");
	put_escaped(out, line, node->text_length, 0);
	put_str(out, " [Node ");
	put_u64(out, node->id);
	put_str(out, "]\n");
	put_indent(out, depth + 1);
	put_rows(out, node, flags & PGT_PLAN_ACTUALS);
	if (flags & PGT_PLAN_TIMING) {
		put_indent(out, depth + 1);
		put_time(out, node);
	}
	if (flags & PGT_PLAN_ACTUALS) {
		put_indent(out, depth + 1);
		put_buffers(out, &node->usage);
	}
}

void text_plan(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_plan *plan = te->event->body;
	uint8_t *depths = xcalloc((size_t)plan->nodes + 1, 1);
	struct pgt_node node;
	const char *line;
	size_t at = 0;

	text_rule(text, '-');
	fprintf(out, "EXECUTION PLAN #%u: hash=%016llx%s%s\n", te->event->head.cursor,
		(unsigned long long)plan->plan_hash, plan->flags & PGT_PLAN_ACTUALS ? "" : " (no actual figures)",
		plan->flags & PGT_PLAN_ABORTED ? " (the execution did not end: figures are partial)" : "");
	/* event_check has seen to it that ids count up and parents come first. */
	while (event_next_node(te->event, &at, &node, &line)) {
		depths[node.id] = depths[node.parent_id] + (depths[node.parent_id] <= MAX_INDENT);
		put_node(out, &node, line, depths[node.id] - 1u, plan->flags);
	}
	free(depths);
}
