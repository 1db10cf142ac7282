/* SPDX-License-Identifier: PostgreSQL */
/*
 * A switch statement becomes, in position-independent code of gcc and clang,
 *
 *	lea table(%rip), %rdx		32-bit distances from the table
 *	movslq (%rdx,%rax,4), %rax
 *	add %rdx, %rax
 *	jmp *%rax
 *
 * and in code at a fixed address
 *
 *	jmp *table(,%rax,8)		64-bit addresses
 *
 * A table has no length of its own: it ends before the first entry that leads out of the
 * function.
 */
#include "site/switch.h"

#include <string.h>

#define ENTRIES_MAX 1024

struct search {
	struct decoder *decoder;
	uint64_t start;		/* of the function */
	uint64_t size;
	size_t count;
	size_t *steps;
	void (*found)(uint64_t vaddr, void *arg);
	void *arg;
};

static bool take(struct search *search, uint64_t target)
{
	if (target - search->start >= search->size || !*search->steps)
		return false;
	--*search->steps;
	search->count++;
	search->found(target, search->arg);
	return true;
}

static void read_distances(struct search *search, uint64_t table)
{
	const struct image *image = decoder_image(search->decoder);
	const uint8_t *bytes;
	int32_t distance;
	size_t i;

	for (i = 0; i < ENTRIES_MAX; i++) {
		bytes = image_bytes(image, table + i * sizeof(distance), sizeof(distance));
		if (!bytes)
			return;
		memcpy(&distance, bytes, sizeof(distance));
		if (!take(search, table + (uint64_t)(int64_t)distance))
			return;
	}
}

static void read_addresses(struct search *search, uint64_t table)
{
	const struct image *image = decoder_image(search->decoder);
	const uint8_t *bytes;
	uint64_t target;
	size_t i;

	for (i = 0; i < ENTRIES_MAX; i++) {
		bytes = image_bytes(image, table + i * sizeof(target), sizeof(target));
		if (!bytes)
			return;
		memcpy(&target, bytes, sizeof(target));
		if (!take(search, target))
			return;
	}
}

/* Outside the function: a table, or any other data, whose first entry then leads nowhere. */
static bool may_name_table(const struct search *search, const struct insn *insn)
{
	return insn->class == INSN_LEA && insn->operand[1].kind == OPERAND_FIXED &&
	       (uint64_t)insn->operand[1].value - search->start >= search->size;
}

size_t switch_targets(struct decoder *decoder, const struct insn *jump, size_t *steps,
		      void (*found)(uint64_t vaddr, void *arg), void *arg)
{
	struct search search = { decoder, 0, 0, 0, steps, found, arg };
	const struct operand *op = &jump->operand[0];
	const struct insn *insn;
	uint64_t at;

	if (!image_function(decoder_image(decoder), jump->vaddr, &search.start, &search.size))
		return 0;
	if (op->kind == OPERAND_MEMORY && op->indexed && op->reg == NO_REGISTER) {
		read_addresses(&search, (uint64_t)op->value);
		return search.count;
	}
	for (at = search.start; at < search.start + search.size && *steps; at += insn->size) {
		--*steps;
		insn = decoder_at(decoder, at);
		if (!insn)
			break;
		if (may_name_table(&search, insn))
			read_distances(&search, (uint64_t)insn->operand[1].value);
	}
	return search.count;
}
