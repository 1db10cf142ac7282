/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/task.h"

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/sample.h"

void emit_find_task(struct assembler *a, int out)
{
	asm_emit(a, MOV_REG(R6, R1));				/* ctx */
	asm_emit(a, CALL(BPF_FUNC_get_current_pid_tgid));	/* tgid << 32 | tid */
	asm_emit(a, ALU_IMM(BPF_RSH, R0, 32));
	asm_emit(a, STORE(BPF_W, R10, STACK_PID, R0));		/* pid */
	asm_emit(a, MOV_REG(R2, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R2, STACK_PID));		/* &pid */
	asm_map(a, R1, MAP_STATE);
	asm_emit(a, CALL(BPF_FUNC_map_lookup_elem));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R0, 0), out);		/* not traced */
	asm_emit(a, MOV_REG(R7, R0));				/* st */
}

void emit_count(struct assembler *a, size_t field)
{
	asm_emit(a, LOAD(BPF_W, R1, R7, (int16_t)field));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, 1));
	asm_emit(a, STORE(BPF_W, R7, (int16_t)field, R1));
}

void emit_output(struct assembler *a)
{
	int taken = asm_label(a);

	asm_emit(a, MOV_REG(R1, R6));				/* ctx */
	asm_map(a, R2, MAP_OUTPUT);
	asm_emit(a, MOV32_IMM(R3, BPF_F_CURRENT_CPU));		/* 0xffffffff, not -1 */
	asm_emit(a, CALL(BPF_FUNC_perf_event_output));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R0, 0), taken);
	emit_count(a, offsetof(struct task_state, lost));
	asm_place(a, taken);
}

void emit_return(struct assembler *a, int out)
{
	asm_place(a, out);
	asm_emit(a, MOV_IMM(R0, 0));
	asm_emit(a, EXIT());
}
