/* SPDX-License-Identifier: PostgreSQL */
#include "site/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "site/effect.h"
#include "site/switch.h"

/* Adds what another path brings.  True if that changed anything. */
static bool join(struct state *to, const struct state *from)
{
	struct state before = *to;
	int reg;

	to->pointer |= from->pointer;
	to->address |= from->address;
	to->fresh |= from->fresh;
	to->known &= from->known;
	for (reg = 0; reg < REGISTERS; reg++)
		if (to->known & BIT(reg) && to->constant[reg] != from->constant[reg])
			to->known &= ~BIT(reg);
	/*
	 * Depths differ only where one path comes from behind a call that never returns: the
	 * first is kept, and the other's slots mean nothing here.
	 */
	if (to->stack == from->stack) {
		to->slot_pointer |= from->slot_pointer;
		to->slot_address |= from->slot_address;
	}
	return memcmp(&before, to, sizeof(before)) != 0;
}

static void push_todo(struct walk *walk, uint64_t vaddr)
{
	if (walk->todo_count == walk->todo_capacity) {
		walk->todo_capacity = walk->todo_capacity ? 2 * walk->todo_capacity : 16;
		walk->todo = xrealloc(walk->todo, walk->todo_capacity, sizeof(*walk->todo));
	}
	walk->todo[walk->todo_count++] = vaddr;
}

static void arrive(struct walk *walk, uint64_t vaddr, const struct state *s)
{
	uint32_t number = addrmap_get(&walk->seen, vaddr);

	if (number != ADDRMAP_NONE) {
		if (join(&walk->states[number], s))
			push_todo(walk, vaddr);
		return;
	}
	if (!(walk->state_count & (walk->state_count - 1)))
		walk->states = xrealloc(walk->states, walk->state_count ? 2 * walk->state_count : 1,
					sizeof(*walk->states));
	addrmap_put(&walk->seen, vaddr, (uint32_t)walk->state_count);
	walk->states[walk->state_count++] = *s;
	push_todo(walk, vaddr);
}

/* A call that ends its function is to one that never returns. */
static bool call_returns(const struct walk *walk, const struct insn *insn)
{
	uint64_t start, size;

	return !image_function(decoder_image(walk->decoder), insn->vaddr, &start, &size) ||
	       insn->vaddr + insn->size < start + size;
}

/* What a stale copy in a scratch register cannot lose. */
static bool holds_for_long(const struct walk *walk, const struct state *s)
{
	uint16_t kept = ~decoder_machine(walk->decoder)->clobbered;

	return (s->pointer | s->address) & (kept | s->fresh) || s->slot_pointer || s->slot_address;
}

struct arrival {
	struct walk *walk;
	const struct state *state;
};

static void arrive_from_switch(uint64_t vaddr, void *arg)
{
	const struct arrival *arrival = arg;

	arrive(arrival->walk, vaddr, arrival->state);
}

/* A copy that is left over is not worth the search, nor a gap. */
static void computed_jump(struct walk *walk, const struct insn *insn, const struct state *s)
{
	struct arrival arrival = { walk, s };

	if (!walk->whole && !holds_for_long(walk, s))
		return;
	if (switch_targets(walk->decoder, insn, walk->steps, arrive_from_switch, &arrival))
		return;
	walk->blind = true;
	effect_lost(walk, insn->vaddr, "a computed jump");
}

static void leave(struct walk *walk, const struct insn *insn, const struct state *s)
{
	uint64_t next = insn->vaddr + insn->size;

	switch (insn->class) {
	case INSN_RETURN:
	case INSN_STOP:
		return;
	case INSN_CALL:
		if (call_returns(walk, insn))
			arrive(walk, next, s);
		return;
	case INSN_JUMP:
		if (insn->target)
			arrive(walk, insn->target, s);
		else
			computed_jump(walk, insn, s);
		return;
	case INSN_BRANCH:
		if (insn->target)
			arrive(walk, insn->target, s);
		break;
	}
	arrive(walk, next, s);
}

static bool holds_any(const struct state *s)
{
	return s->pointer | s->address | s->slot_pointer | s->slot_address;
}

static void step(struct walk *walk, uint64_t vaddr)
{
	struct state s = walk->states[addrmap_get(&walk->seen, vaddr)];
	const struct insn *insn = decoder_at(walk->decoder, vaddr);

	if (!insn) {
		walk->blind = true;
		effect_lost(walk, vaddr, "not an instruction that is known");
		return;
	}
	effect_apply(walk, insn, &s);
	if (walk->whole || holds_any(&s))
		leave(walk, insn, &s);
}

/*
 * What is put on the stack and not seen again went into a local struct, for a function that is
 * called: a pointer to a big struct is stored there as in any other memory.
 */
static void check_slots(struct walk *walk)
{
	size_t i;

	for (i = 0; i < walk->slot_count; i++) {
		if (!walk->slots[i].spilled_at || walk->slots[i].reloaded)
			continue;
		if (walk->subject->is_struct && !walk->slots[i].doubtful)
			walk->reads++;
		else
			effect_lost(walk, walk->slots[i].spilled_at,
				    "put on the stack and not seen again");
	}
}

static void reset(struct walk *walk, bool whole)
{
	walk->whole = whole;
	walk->store_count = walk->reads = walk->sets = 0;
	walk->blind = false;
	walk->why = NULL;
	walk->why_vaddr = 0;
	walk->state_count = walk->todo_count = walk->slot_count = 0;
	addrmap_clear(&walk->seen);
}

void walk_init(struct walk *walk, struct decoder *decoder, const struct subject *subject)
{
	memset(walk, 0, sizeof(*walk));
	walk->decoder = decoder;
	walk->subject = subject;
}

void walk_run(struct walk *walk, uint64_t vaddr, bool whole, size_t *steps)
{
	struct state start = { 0 };

	reset(walk, whole);
	walk->steps = steps;
	arrive(walk, vaddr, &start);
	while (walk->todo_count) {
		if (!*steps) {
			walk->blind = true;
			effect_lost(walk, vaddr, "too much code to follow");
			return;
		}
		--*steps;
		step(walk, walk->todo[--walk->todo_count]);
	}
	check_slots(walk);
}

void walk_release(struct walk *walk)
{
	free(walk->stores);
	free(walk->states);
	free(walk->todo);
	addrmap_release(&walk->seen);
}
