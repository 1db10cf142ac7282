/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the kernel does with a probed x86-64 instruction: arch/x86/kernel/uprobes.c,
 * branch_setup_xol_ops() and push_setup_xol_ops() (emulated), is_prefix_bad(),
 * good_insns_64[] and good_2byte_insns[] (the rest: stepped or refused).  Where kernels
 * differ the oldest is taken, so that what is promised here holds on all of them.
 */
#include "site/code.h"

struct encoding {
	bool refused_prefix;
	bool operand_size;	/* 0x66 */
	uint8_t legacy;		/* prefixes before REX */
	uint8_t rex;
	bool two_byte;		/* opcode after 0x0f */
	uint8_t opcode;
};

static bool is_legacy_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:	/* ES, CS, SS, DS */
	case 0x64: case 0x65:				/* FS, GS */
	case 0x66: case 0x67:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	}
	return false;
}

static bool parse(struct encoding *e, const uint8_t *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size && is_legacy_prefix(bytes[i]); i++) {
		e->refused_prefix |= bytes[i] == 0xf0 || (bytes[i] & 0xe7) == 0x26;
		e->operand_size |= bytes[i] == 0x66;
		e->legacy++;
	}
	if (i < size && (bytes[i] & 0xf0) == 0x40)
		e->rex = bytes[i++];
	if (i + 1 < size && bytes[i] == 0x0f) {
		e->two_byte = true;
		i++;
	}
	if (i >= size)
		return false;
	e->opcode = bytes[i];
	return true;
}

static bool is_emulated(const struct encoding *e)
{
	uint8_t op = e->opcode;

	if (e->two_byte)
		return (op & 0xf0) == 0x80 && !e->operand_size;
	if (op == 0xe8 || op == 0xe9 || op == 0xeb || (op & 0xf0) == 0x70)
		return !e->operand_size;
	if (op == 0x90)		/* with REX it may be xchg */
		return !e->rex;
	return (op & 0xf8) == 0x50 && !e->legacy && (!e->rex || e->rex == 0x41);
}

/* First and last opcode of the runs that the kernel's tables refuse. */
struct run {
	uint8_t first, last;
};

static const struct run refused_1byte[] = {
	{ 0x06, 0x07 }, { 0x0e, 0x0f }, { 0x16, 0x17 }, { 0x1e, 0x1f }, { 0x26, 0x27 },
	{ 0x2e, 0x2f }, { 0x36, 0x37 }, { 0x3e, 0x3f }, { 0x40, 0x4f }, { 0x60, 0x62 },
	{ 0x66, 0x67 }, { 0x6c, 0x6f }, { 0x82, 0x82 }, { 0xc4, 0xc5 }, { 0xcc, 0xcf },
	{ 0xd4, 0xd6 }, { 0xe4, 0xe7 }, { 0xec, 0xef }, { 0xf0, 0xf1 }, { 0xf4, 0xf4 },
	{ 0xfa, 0xfb },
};

static const struct run refused_2byte[] = {
	{ 0x00, 0x0d }, { 0x18, 0x18 }, { 0x1e, 0x1e }, { 0x24, 0x27 }, { 0x30, 0x30 },
	{ 0x34, 0x3f }, { 0x78, 0x7d }, { 0xa6, 0xa7 }, { 0xae, 0xae }, { 0xb8, 0xb9 },
	{ 0xd0, 0xd0 }, { 0xf0, 0xf0 }, { 0xff, 0xff },
};

static bool in_runs(const struct run *runs, size_t count, uint8_t opcode)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (opcode >= runs[i].first && opcode <= runs[i].last)
			return true;
	return false;
}

uint8_t x86_64_cost(const uint8_t *bytes, size_t size)
{
	struct encoding e = { 0 };
	bool refused;

	if (!parse(&e, bytes, size) || e.refused_prefix)
		return 0;
	if (is_emulated(&e))
		return SITE_EMULATED;
	refused = e.two_byte
		? in_runs(refused_2byte, sizeof(refused_2byte) / sizeof(refused_2byte[0]), e.opcode)
		: in_runs(refused_1byte, sizeof(refused_1byte) / sizeof(refused_1byte[0]), e.opcode);
	return refused ? 0 : SITE_STEPPED;
}
