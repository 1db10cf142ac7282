/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * insn.h - one macro for each form of BPF instruction that the programs use.
 *
 * Format: Documentation/bpf/standardization/instruction-set.rst of the kernel;
 * struct bpf_insn and the opcodes: include/uapi/linux/bpf.h, which comes with libc's headers.
 */
#ifndef KERNEL_INSN_H
#define KERNEL_INSN_H

#include <linux/bpf.h>
#include <stdint.h>

/* Registers: r0 result, r1-r5 arguments (lost in a call), r6-r9 kept, r10 frame (read only). */
enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

#define INSN(op, d, s, o, i) \
	((struct bpf_insn){ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* dst = src; dst = imm (64 bits, imm sign-extended); dst = (uint32_t)imm */
#define MOV_REG(dst, src)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOV_IMM(dst, imm)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV32_IMM(dst, imm)	INSN(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)(imm))

/* dst op= imm; dst op= src; op is BPF_ADD, BPF_AND, BPF_RSH, ... */
#define ALU_IMM(op, dst, imm)	INSN(BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)
#define ALU_REG(op, dst, src)	INSN(BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)

/* dst = *(size *)(src + off); size is BPF_W (4 bytes) or BPF_DW (8) */
#define LOAD(size, dst, src, off)	INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
/* *(size *)(dst + off) = src; = imm */
#define STORE(size, dst, off, src)	INSN(BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define STORE_IMM(size, dst, off, imm)	INSN(BPF_ST | BPF_MEM | (size), dst, 0, off, imm)

/* if (dst op src/imm) goto label; the assembler fills in the distance */
#define JUMP_REG(op, dst, src)	INSN(BPF_JMP | (op) | BPF_X, dst, src, 0, 0)
#define JUMP_IMM(op, dst, imm)	INSN(BPF_JMP | (op) | BPF_K, dst, 0, 0, imm)
#define JUMP()			INSN(BPF_JMP | BPF_JA, 0, 0, 0, 0)

/* r0 = helper(r1..r5); return r0 */
#define CALL(helper)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define EXIT()			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#endif
