/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * BPF as text, one instruction a line, for the golden dumps and for people:
 * "  4: if r0 == 0 goto 9".
 */
#include "kernel/asm.h"

#include <inttypes.h>

#include "base/strbuf.h"

/* Indexed by the high four bits of the opcode. */
static const char *const alu_signs[16] = {
	[BPF_ADD >> 4] = "+=", [BPF_SUB >> 4] = "-=", [BPF_MUL >> 4] = "*=",
	[BPF_DIV >> 4] = "/=", [BPF_OR >> 4] = "|=", [BPF_AND >> 4] = "&=",
	[BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=", [BPF_XOR >> 4] = "^=",
	[BPF_MOV >> 4] = "=", [BPF_ARSH >> 4] = "s>>=",
};

static const char *const jump_signs[16] = {
	[BPF_JEQ >> 4] = "==", [BPF_JNE >> 4] = "!=", [BPF_JGT >> 4] = ">",
	[BPF_JGE >> 4] = ">=", [BPF_JLT >> 4] = "<", [BPF_JLE >> 4] = "<=",
	[BPF_JSGT >> 4] = "s>", [BPF_JSGE >> 4] = "s>=", [BPF_JSLT >> 4] = "s<",
	[BPF_JSLE >> 4] = "s<=", [BPF_JSET >> 4] = "&",
};

static const struct {
	int32_t number;
	const char *name;
} helpers[] = {
	{ BPF_FUNC_map_lookup_elem, "map_lookup_elem" },
	{ BPF_FUNC_ktime_get_ns, "ktime_get_ns" },
	{ BPF_FUNC_get_current_pid_tgid, "get_current_pid_tgid" },
	{ BPF_FUNC_perf_event_output, "perf_event_output" },
	{ BPF_FUNC_probe_read_user, "probe_read_user" },
	{ BPF_FUNC_probe_read_user_str, "probe_read_user_str" },
};

static const char *helper_name(int32_t number)
{
	size_t i;

	for (i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (helpers[i].number == number)
			return helpers[i].name;
	return "helper";
}

static const char *sign_of(const char *const signs[16], uint8_t code)
{
	const char *sign = signs[BPF_OP(code) >> 4];

	return sign ? sign : "?";
}

static const char *type_of(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B: return "u8";
	case BPF_H: return "u16";
	case BPF_W: return "u32";
	default: return "u64";
	}
}

static void dump_operand(const struct bpf_insn *insn, struct strbuf *out)
{
	if (BPF_SRC(insn->code) == BPF_X)
		strbuf_addf(out, "r%d", insn->src_reg);
	else
		strbuf_addf(out, "%" PRId32, insn->imm);
}

static void dump_alu(const struct bpf_insn *insn, struct strbuf *out)
{
	char width = BPF_CLASS(insn->code) == BPF_ALU ? 'w' : 'r';

	strbuf_addf(out, "%c%d %s ", width, insn->dst_reg, sign_of(alu_signs, insn->code));
	dump_operand(insn, out);
}

static void dump_jump(const struct bpf_insn *insn, size_t at, struct strbuf *out)
{
	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		strbuf_addf(out, "call %s#%" PRId32, helper_name(insn->imm), insn->imm);
		return;
	case BPF_EXIT:
		strbuf_addstr(out, "exit");
		return;
	case BPF_JA:
		break;
	default:
		strbuf_addf(out, "if r%d %s ", insn->dst_reg, sign_of(jump_signs, insn->code));
		dump_operand(insn, out);
		strbuf_addch(out, ' ');
	}
	strbuf_addf(out, "goto %d", (int)at + 1 + insn->off);
}

static void dump_store(const struct bpf_insn *insn, struct strbuf *out)
{
	strbuf_addf(out, "*(%s *)(r%d %+d) = ", type_of(insn->code), insn->dst_reg, insn->off);
	if (BPF_CLASS(insn->code) == BPF_STX)
		strbuf_addf(out, "r%d", insn->src_reg);
	else
		strbuf_addf(out, "%" PRId32, insn->imm);
}

static void dump_one(const struct bpf_insn *insn, size_t at, struct strbuf *out)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		dump_alu(insn, out);
		break;
	case BPF_JMP:
		dump_jump(insn, at, out);
		break;
	case BPF_LDX:
		strbuf_addf(out, "r%d = *(%s *)(r%d %+d)", insn->dst_reg, type_of(insn->code),
			    insn->src_reg, insn->off);
		break;
	case BPF_ST:
	case BPF_STX:
		dump_store(insn, out);
		break;
	default:	/* asm_map() makes the only one of BPF_LD */
		strbuf_addf(out, "r%d = map[%" PRId32 "]", insn->dst_reg, insn->imm);
	}
}

void asm_dump(const struct assembler *a, struct strbuf *out)
{
	size_t i;

	for (i = 0; i < a->count; i++) {
		strbuf_addf(out, "%3zu: ", i);
		dump_one(&a->insns[i], i, out);
		strbuf_addch(out, '\n');
		if (a->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;	/* its second half */
	}
}
