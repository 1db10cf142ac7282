/* SPDX-License-Identifier: PostgreSQL */
/*
 * A probe sits behind its store, where the store has happened and nothing else has: on the
 * straight line of instructions that follow it, up to the first that may go elsewhere or
 * that may block.  A relative call or jump ends the line and is itself the best place:
 * the probe fires before it is taken, and the kernel emulates it.
 */
#include "site/place.h"

#define LINE_MAX_INSNS 64
#define ENTRY_MAX_INSNS 8

/*
 * A function whose entry is hit about as often as its end: a return probe (an emulated entry
 * and a trampoline, about 3 us) is then cheaper than a single step (14 us).  In a longer one most
 * calls may not come near the site.
 */
#define SHORT_FUNCTION 128	/* bytes */

static bool ends_line(const struct insn *insn)
{
	switch (insn->class) {
	case INSN_CALL:
	case INSN_SYSCALL:
	case INSN_JUMP:
	case INSN_BRANCH:
	case INSN_RETURN:
	case INSN_STOP:
		return true;
	}
	return false;
}

/* A later store that one probe may serve, too: not an end, if a start is to be seen. */
static bool may_pass(enum site_role role, enum site_role next)
{
	return role == SITE_END || next == SITE_START;
}

/* Whether a return probe is the better answer to a line that runs into a return. */
static bool return_is_better(const struct place_context *context, const struct site *site,
			     struct placement *out)
{
	uint64_t start, size;
	struct placement entry;

	if (!image_function(decoder_image(context->decoder), site->store_vaddr, &start, &size) ||
	    size > SHORT_FUNCTION || !place_entry(context->decoder, start, &entry) ||
	    entry.cost != SITE_EMULATED)
		return false;
	out->vaddr = entry.vaddr;
	out->cost = SITE_RETURN;
	return true;
}

struct line {
	enum site_role role;
	struct placement stepped;	/* the first that can be stepped; cost 0: none yet */
	bool returns;
};

/* Looks at one instruction.  True: the line goes on. */
static bool line_step(const struct place_context *context, const struct insn *insn,
		      struct line *line, struct placement *out)
{
	uint32_t other = addrmap_get(context->stores, insn->vaddr);

	if (insn->cost == SITE_EMULATED) {
		out->vaddr = insn->vaddr;
		out->cost = SITE_EMULATED;
		return false;
	}
	if (insn->cost && !line->stepped.cost) {
		line->stepped.vaddr = insn->vaddr;
		line->stepped.cost = insn->cost;
	}
	line->returns = insn->class == INSN_RETURN;
	if (ends_line(insn))
		return false;
	if (other == ADDRMAP_NONE)
		return true;
	if (!may_pass(line->role, context->sites[other].role))
		return false;
	if (line->role == SITE_END && context->sites[other].role == SITE_START) {
		/* From here on only the start can be seen; its own probe is the place. */
		out->merged_with = other;
		return false;
	}
	return true;
}

bool place_probe(const struct place_context *context, size_t index, struct placement *out)
{
	const struct site *site = &context->sites[index];
	const struct insn *insn = decoder_at(context->decoder, site->store_vaddr);
	struct line line = { site->role, { 0, 0, SIZE_MAX }, false };
	int i;

	*out = (struct placement){ 0, 0, SIZE_MAX };
	for (i = 0; insn && i < LINE_MAX_INSNS; i++) {
		insn = decoder_at(context->decoder, insn->vaddr + insn->size);
		if (!insn || !line_step(context, insn, &line, out))
			break;
	}
	if (out->cost || out->merged_with != SIZE_MAX)
		return true;
	if (line.returns && return_is_better(context, site, out))
		return true;
	*out = line.stepped;
	return out->cost != 0;
}

/* --- entries --------------------------------------------------------------------- */

/* What a program that runs at an entry reads: the arguments, and the stack. */
static bool spoils_arguments(const struct decoder *decoder, const struct insn *insn)
{
	const struct machine *machine = decoder_machine(decoder);

	return ends_line(insn) || insn->writes & (machine->arguments | 1u << machine->stack_pointer);
}

/* Whether the function jumps into (from, to]: a probe there would fire more than once. */
static bool is_jumped_into(struct decoder *decoder, uint64_t from, uint64_t to)
{
	uint64_t start, size, at = from;
	const struct insn *insn;

	if (!image_function(decoder_image(decoder), from, &start, &size))
		return true;
	while (at < start + size && (insn = decoder_at(decoder, at))) {
		if (insn->class != INSN_CALL && insn->target > from && insn->target <= to)
			return true;
		at += insn->size;
	}
	return at < start + size;
}

bool place_entry(struct decoder *decoder, uint64_t vaddr, struct placement *out)
{
	const struct insn *insn = decoder_at(decoder, vaddr);
	int i;

	*out = (struct placement){ 0, 0, SIZE_MAX };
	if (insn && decoder_is_landing_pad(insn))
		insn = decoder_at(decoder, vaddr + insn->size);
	if (!insn || !insn->cost)
		return false;
	out->vaddr = insn->vaddr;
	out->cost = insn->cost;
	for (i = 0; insn && i < ENTRY_MAX_INSNS && insn->cost != SITE_EMULATED; i++) {
		if (spoils_arguments(decoder, insn))
			return true;
		insn = decoder_at(decoder, insn->vaddr + insn->size);
	}
	if (insn && insn->cost == SITE_EMULATED && !is_jumped_into(decoder, out->vaddr, insn->vaddr)) {
		out->vaddr = insn->vaddr;
		out->cost = SITE_EMULATED;
	}
	return true;
}
