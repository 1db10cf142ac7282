/* SPDX-License-Identifier: PostgreSQL */
#include "site/effect.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct value {
	bool pointer;
	bool address;
	bool known;
	uint32_t constant;
};

enum place_kind {
	PLACE_ELSEWHERE,
	PLACE_VARIABLE,		/* the variable itself */
	PLACE_WORD,		/* a word with its address */
	PLACE_FIELD,		/* behind the pointer */
	PLACE_SLOT,		/* of the stack */
};

struct place {
	enum place_kind kind;
	int64_t field;
	size_t slot;
};

void effect_lost(struct walk *walk, uint64_t vaddr, const char *why)
{
	if (walk->why)
		return;
	walk->why = why;
	walk->why_vaddr = vaddr;
}

/* A use that can lead to no store of ours if the pointer is to a big struct. */
static void other_use(struct walk *walk, const struct insn *insn, const char *why)
{
	if (walk->subject->is_struct)
		walk->reads++;
	else
		effect_lost(walk, insn->vaddr, why);
}

static void forget(struct state *s, uint16_t registers)
{
	s->pointer &= ~registers;
	s->address &= ~registers;
	s->fresh &= ~registers;
	s->known &= ~registers;
}

/* --- stack slots ---------------------------------------------------------------- */

static void forget_slots(struct walk *walk, struct state *s, int8_t base)
{
	size_t i;

	for (i = 0; i < walk->slot_count; i++) {
		if (walk->slots[i].base != base)
			continue;
		s->slot_pointer &= ~(1u << i);
		s->slot_address &= ~(1u << i);
	}
}

/* Those that are found through the stack pointer, when it goes where it cannot be followed. */
static void doubt_slots(struct walk *walk, const struct state *s)
{
	int8_t base = decoder_machine(walk->decoder)->stack_pointer;
	size_t i;

	for (i = 0; i < walk->slot_count; i++)
		if (walk->slots[i].base == base && (s->slot_pointer | s->slot_address) >> i & 1)
			walk->slots[i].doubtful = true;
}

static void stack_moved(struct walk *walk, struct state *s, bool known, int64_t by)
{
	if (known && s->stack != STACK_UNKNOWN) {
		s->stack += by;
		return;
	}
	s->stack = STACK_UNKNOWN;
	doubt_slots(walk, s);
	forget_slots(walk, s, decoder_machine(walk->decoder)->stack_pointer);
}

/* The number of the slot at offset of base, or SIZE_MAX where there are too many. */
static size_t slot_number(struct walk *walk, int8_t base, int64_t offset)
{
	size_t i;

	for (i = 0; i < walk->slot_count; i++)
		if (walk->slots[i].base == base && walk->slots[i].offset == offset)
			return i;
	if (i == sizeof(walk->slots) / sizeof(walk->slots[0]))
		return SIZE_MAX;
	walk->slots[i] = (struct slot){ .base = base, .offset = offset };
	return walk->slot_count++;
}

static struct place slot_place(struct walk *walk, const struct state *s, int8_t base, int64_t offset)
{
	struct place place = { PLACE_ELSEWHERE, 0, 0 };
	const struct machine *machine = decoder_machine(walk->decoder);

	if (base == machine->stack_pointer) {
		if (s->stack == STACK_UNKNOWN)
			return place;
		offset += s->stack;
	} else if (base != machine->frame_pointer) {
		return place;
	}
	place.slot = slot_number(walk, base, offset);
	if (place.slot != SIZE_MAX)
		place.kind = PLACE_SLOT;
	return place;
}

/* --- operands ------------------------------------------------------------------- */

static bool is_word(const struct subject *subject, uint64_t vaddr)
{
	size_t i;

	for (i = 0; i < subject->word_count; i++)
		if (subject->words[i] == vaddr)
			return true;
	return false;
}

static struct place locate(struct walk *walk, struct state *s, const struct operand *op)
{
	struct place place = { PLACE_ELSEWHERE, op->value, 0 };

	if (op->kind == OPERAND_FIXED) {
		if (walk->subject->vaddr && (uint64_t)op->value == walk->subject->vaddr)
			place.kind = PLACE_VARIABLE;
		else if (is_word(walk->subject, (uint64_t)op->value))
			place.kind = PLACE_WORD;
		return place;
	}
	if (op->kind != OPERAND_MEMORY || op->reg == NO_REGISTER)
		return place;
	if ((s->pointer | s->address) & BIT(op->reg))
		s->fresh &= ~BIT(op->reg);
	if (op->indexed)
		return place;
	if (s->pointer & BIT(op->reg))
		place.kind = PLACE_FIELD;
	else if (s->address & BIT(op->reg) && !op->value)
		place.kind = PLACE_VARIABLE;
	else
		return slot_place(walk, s, op->reg, op->value);
	return place;
}

static bool is_memory(const struct operand *op)
{
	return op->kind == OPERAND_FIXED || op->kind == OPERAND_MEMORY;
}

static struct value read_slot(struct walk *walk, const struct state *s, size_t slot)
{
	struct value value = { 0 };

	value.pointer = s->slot_pointer >> slot & 1;
	value.address = s->slot_address >> slot & 1;
	walk->slots[slot].reloaded |= value.pointer | value.address;
	return value;
}

static struct value read_memory(struct walk *walk, struct state *s, const struct operand *op)
{
	struct place place = locate(walk, s, op);
	struct value value = { 0 };

	if (place.kind == PLACE_FIELD)
		walk->reads++;
	else if (place.kind == PLACE_SLOT && op->size == 8)
		return read_slot(walk, s, place.slot);
	value.pointer = place.kind == PLACE_VARIABLE && op->size == 8;
	value.address = place.kind == PLACE_WORD && op->size == 8;
	return value;
}

static struct value read_operand(struct walk *walk, struct state *s, const struct operand *op)
{
	struct value value = { 0 };

	if (is_memory(op))
		return read_memory(walk, s, op);
	if (op->kind == OPERAND_IMMEDIATE) {
		value.known = true;
		value.constant = (uint32_t)op->value;
		value.address = walk->subject->vaddr && op->size >= 4 &&
				(uint64_t)op->value == walk->subject->vaddr;
	} else if (op->kind == OPERAND_REGISTER) {
		value.pointer = op->size == 8 && s->pointer & BIT(op->reg);
		value.address = op->size == 8 && s->address & BIT(op->reg);
		value.known = op->size >= 4 && s->known & BIT(op->reg);
		value.constant = s->constant[op->reg];
		if (value.pointer | value.address)
			s->fresh &= ~BIT(op->reg);
	}
	return value;
}

static void write_register(struct walk *walk, struct state *s, const struct operand *op,
			   struct value value)
{
	uint16_t bit = BIT(op->reg);
	const struct machine *machine = decoder_machine(walk->decoder);

	forget(s, bit);
	if (op->reg == machine->stack_pointer)
		stack_moved(walk, s, false, 0);
	if (op->reg == machine->frame_pointer)
		forget_slots(walk, s, op->reg);
	if (op->size < 4)
		return;
	if (value.pointer)
		s->pointer |= bit;
	if (value.address)
		s->address |= bit;
	s->fresh |= (s->pointer | s->address) & bit;
	if (value.known) {
		s->known |= bit;
		s->constant[op->reg] = value.constant;
	}
}

static void record_store(struct walk *walk, const struct insn *insn, int64_t field, struct value value)
{
	struct store *store;
	size_t i;

	for (i = 0; i < walk->store_count; i++) {
		store = &walk->stores[i];
		if (store->vaddr != insn->vaddr)
			continue;
		store->known &= value.known && store->value == value.constant;
		return;
	}
	if (!(walk->store_count & (walk->store_count - 1)))
		walk->stores = xrealloc(walk->stores, walk->store_count ? 2 * walk->store_count : 1,
					sizeof(*walk->stores));
	walk->stores[walk->store_count++] =
		(struct store){ insn->vaddr, field, value.known, value.constant };
}

static void write_slot(struct walk *walk, struct state *s, const struct insn *insn, size_t slot,
		       struct value value)
{
	uint32_t bit = 1u << slot;

	s->slot_pointer &= ~bit;
	s->slot_address &= ~bit;
	if (!(value.pointer | value.address))
		return;
	if (value.pointer)
		s->slot_pointer |= bit;
	if (value.address)
		s->slot_address |= bit;
	walk->slots[slot].doubtful |= value.address;
	walk->slots[slot].spilled_at = insn->vaddr;
}

static void write_memory(struct walk *walk, struct state *s, const struct insn *insn,
			 const struct operand *op, struct value value)
{
	struct place place = locate(walk, s, op);

	if (place.kind == PLACE_FIELD && op->size == 4)
		record_store(walk, insn, place.field, value);
	else if (place.kind == PLACE_FIELD)
		other_use(walk, insn, "a store of another width than 4 bytes");
	else if (place.kind == PLACE_VARIABLE)
		walk->sets++;
	else if (place.kind == PLACE_SLOT)
		write_slot(walk, s, insn, place.slot, value);
	else if (value.pointer)
		other_use(walk, insn, "the pointer is stored in memory");
	else if (value.address)
		effect_lost(walk, insn->vaddr, "the variable's address is stored in memory");
}

static void write_operand(struct walk *walk, struct state *s, const struct insn *insn,
			  const struct operand *op, struct value value)
{
	if (op->kind == OPERAND_REGISTER)
		write_register(walk, s, op, value);
	else if (is_memory(op))
		write_memory(walk, s, insn, op, value);
	else if (value.pointer | value.address)
		other_use(walk, insn, "the pointer goes where it cannot be followed");
}

/* --- one instruction ------------------------------------------------------------- */

static void do_move(struct walk *walk, const struct insn *insn, struct state *s)
{
	write_operand(walk, s, insn, &insn->operand[0], read_operand(walk, s, &insn->operand[1]));
}

static void do_lea(struct walk *walk, const struct insn *insn, struct state *s)
{
	const struct operand *op = &insn->operand[1];
	struct value value = { 0 };

	if (op->kind == OPERAND_FIXED) {
		value.address = walk->subject->vaddr && (uint64_t)op->value == walk->subject->vaddr;
	} else if (op->reg != NO_REGISTER) {
		bool same = !op->value && !op->indexed;

		value.pointer = same && s->pointer & BIT(op->reg);
		value.address = same && s->address & BIT(op->reg);
		if (!same && s->pointer & BIT(op->reg))
			other_use(walk, insn, "an address is computed from the pointer");
		s->fresh &= ~BIT(op->reg);
	}
	write_operand(walk, s, insn, &insn->operand[0], value);
}

static void do_exchange(struct walk *walk, const struct insn *insn, struct state *s)
{
	struct value first = read_operand(walk, s, &insn->operand[0]);
	struct value second = read_operand(walk, s, &insn->operand[1]);

	write_operand(walk, s, insn, &insn->operand[0], second);
	write_operand(walk, s, insn, &insn->operand[1], first);
}

static const struct operand *stack_top(struct walk *walk, struct operand *op)
{
	*op = (struct operand){ .kind = OPERAND_MEMORY, .size = 8,
				.reg = decoder_machine(walk->decoder)->stack_pointer };
	return op;
}

static void do_push(struct walk *walk, const struct insn *insn, struct state *s)
{
	struct value value = read_operand(walk, s, &insn->operand[0]);
	struct operand top;

	stack_moved(walk, s, insn->operand[0].size != 2, -8);
	write_operand(walk, s, insn, stack_top(walk, &top), value);
}

static void do_pop(struct walk *walk, const struct insn *insn, struct state *s)
{
	struct operand top;
	struct value value = read_operand(walk, s, stack_top(walk, &top));

	write_operand(walk, s, insn, &top, (struct value){ 0 });
	stack_moved(walk, s, insn->operand[0].size != 2, 8);
	write_operand(walk, s, insn, &insn->operand[0], value);
}

static void do_zero(struct walk *walk, const struct insn *insn, struct state *s)
{
	write_operand(walk, s, insn, &insn->operand[0], (struct value){ .known = true });
}

static void do_cmov(struct walk *walk, const struct insn *insn, struct state *s)
{
	struct value moved = read_operand(walk, s, &insn->operand[1]);
	struct value kept = read_operand(walk, s, &insn->operand[0]);

	kept.pointer |= moved.pointer;
	kept.address |= moved.address;
	kept.known &= moved.known && kept.constant == moved.constant;
	write_operand(walk, s, insn, &insn->operand[0], kept);
}

/* Null checks, and reads of what it points to. */
static void do_compare(struct walk *walk, const struct insn *insn, struct state *s)
{
	uint8_t i;

	for (i = 0; i < insn->operands; i++) {
		const struct operand *op = &insn->operand[i];

		if (is_memory(op))
			walk->reads += read_memory(walk, s, op).pointer;
	}
}

static void do_adjust(struct walk *walk, const struct insn *insn, struct state *s)
{
	stack_moved(walk, s, true, insn->operand[1].value);
}

static void do_nothing(struct walk *walk, const struct insn *insn, struct state *s)
{
	(void)walk;
	(void)insn;
	(void)s;
}

/*
 * A pointer in an argument register is passed on only if it was put there and not used
 * since; otherwise it is what an earlier store left behind.
 */
static void do_call(struct walk *walk, const struct insn *insn, struct state *s)
{
	const struct machine *machine = decoder_machine(walk->decoder);
	uint16_t passed = s->fresh & machine->arguments;

	if (passed & s->address)
		effect_lost(walk, insn->vaddr, "the variable's address is passed to a function");
	else if (passed & s->pointer)
		other_use(walk, insn, "the pointer is passed to a function");
	forget(s, machine->clobbered);
}

static void do_system_call(struct walk *walk, const struct insn *insn, struct state *s)
{
	(void)insn;
	forget(s, decoder_machine(walk->decoder)->clobbered_by_kernel);
}

static void do_return(struct walk *walk, const struct insn *insn, struct state *s)
{
	uint16_t bit = BIT(decoder_machine(walk->decoder)->result);

	if (s->fresh & bit)
		other_use(walk, insn, "the pointer is returned");
}

static void use_memory(struct walk *walk, const struct insn *insn, struct state *s,
		       const struct operand *op)
{
	struct place place = locate(walk, s, op);
	bool based = op->kind == OPERAND_MEMORY && op->reg != NO_REGISTER;

	if (place.kind == PLACE_FIELD && op->access == ACCESS_READ)
		walk->reads++;
	else if (place.kind == PLACE_FIELD)
		other_use(walk, insn, "changed by an instruction that is no plain store");
	else if (place.kind == PLACE_VARIABLE || place.kind == PLACE_WORD)
		other_use(walk, insn, "an instruction that is not followed reads the variable");
	else if (place.kind == PLACE_ELSEWHERE && based && s->pointer & BIT(op->reg))
		other_use(walk, insn, "an index is added to the pointer");
}

static void do_other(struct walk *walk, const struct insn *insn, struct state *s)
{
	uint8_t i;

	for (i = 0; i < insn->operands; i++) {
		const struct operand *op = &insn->operand[i];

		if (is_memory(op))
			use_memory(walk, insn, s, op);
		else if (op->kind == OPERAND_REGISTER && op->size == 8 &&
			 op->access != ACCESS_WRITE && (s->pointer | s->address) & BIT(op->reg))
			other_use(walk, insn, "arithmetic on the pointer");
	}
}

static void (*const actions[INSN_CLASSES])(struct walk *, const struct insn *, struct state *) = {
	[INSN_OTHER] = do_other,
	[INSN_MOVE] = do_move,
	[INSN_LEA] = do_lea,
	[INSN_XCHG] = do_exchange,
	[INSN_PUSH] = do_push,
	[INSN_POP] = do_pop,
	[INSN_ZERO] = do_zero,
	[INSN_CMOV] = do_cmov,
	[INSN_COMPARE] = do_compare,
	[INSN_ADJUST] = do_adjust,
	[INSN_NOP] = do_nothing,
	[INSN_CALL] = do_call,
	[INSN_SYSCALL] = do_system_call,
	[INSN_JUMP] = do_nothing,
	[INSN_BRANCH] = do_nothing,
	[INSN_RETURN] = do_return,
	[INSN_STOP] = do_nothing,
};

/* Those whose action has already told what their registers hold afterwards. */
static bool sets_registers_itself(const struct insn *insn)
{
	switch (insn->class) {
	case INSN_OTHER:
	case INSN_SYSCALL:
		return false;
	default:
		return true;
	}
}

void effect_apply(struct walk *walk, const struct insn *insn, struct state *s)
{
	const struct machine *machine = decoder_machine(walk->decoder);

	actions[insn->class](walk, insn, s);
	if (sets_registers_itself(insn))
		return;
	forget(s, insn->writes);
	if (insn->writes & BIT(machine->stack_pointer))
		stack_moved(walk, s, false, 0);
	if (insn->writes & BIT(machine->frame_pointer))
		forget_slots(walk, s, machine->frame_pointer);
}
