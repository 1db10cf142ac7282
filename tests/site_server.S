/* SPDX-License-Identifier: PostgreSQL */
/* A position-independent program with its own my_wait_event_info (PostgreSQL 14 and later). */
#include "site_macros.h"

	.globl my_wait_event_info
	.data
	.type my_wait_event_info, @object
	.size my_wait_event_info, 8
my_wait_event_info:
	.quad 0
neighbour = my_wait_event_info + 4
elsewhere:
	.quad 0
	.text

#define LOAD(reg) mov my_wait_event_info(%rip), reg

FUNCTION(_start)
	ret
END(_start)

FUNCTION(work)
	push %rbp
	pop %rbp
	ret
END(work)

/* As gcc -O2 does in most places: load, store, work, load, store, go on. */
FUNCTION(plain)
	LOAD(%rax)
	mov %edi, %edi
plain_start:
	movl $0x0a000001, (%rax)
	mov %rsi, %rdx
plain_start_p:
	call work
	LOAD(%rax)
plain_end:
	movl $0, (%rax)
	mov %edx, %eax
plain_end_p:
	jmp work
END(plain)

/* Loaded once into a register that calls keep. */
FUNCTION(hoisted)
	push %rbx
	LOAD(%rbx)
hoisted_start:
	movl $0x0a000002, (%rbx)
hoisted_start_p:
	call work
	test %eax, %eax
hoisted_end:
	movl $0, (%rbx)
hoisted_end_p:
	js 1f
	pop %rbx
	ret
1:
hoisted_again:
	movl $0x0a000003, (%rbx)
hoisted_again_p:
	call work
	jmp 1b
END(hoisted)

/* To the stack and back, below a push and above it. */
FUNCTION(spilled)
	sub $24, %rsp
	LOAD(%rax)
	mov %rax, 8(%rsp)
spilled_start:
	movl $0x0a000004, (%rax)
spilled_start_p:
	call work
	push %rdi
	mov 16(%rsp), %rdx
spilled_end:
	movl $0, (%rdx)
spilled_end_p:
	nop
	pop %rdi
	add $24, %rsp
	ret
END(spilled)

FUNCTION(framed)
	push %rbp
	mov %rsp, %rbp
	sub $16, %rsp
	LOAD(%rax)
	mov %rax, -8(%rbp)
	call work
	mov -8(%rbp), %rcx
framed_end:
	movl $0, (%rcx)
framed_end_p:
	call work
	leave
	ret
END(framed)

FUNCTION(pushed)
	LOAD(%rax)
	push %rax
	call work
	pop %rsi
pushed_end:
	movl $0, (%rsi)
	add $1, %eax
pushed_end_p:
	push %r12
	pop %r12
	ret
END(pushed)

/* An end and the next start: one probe for both. */
FUNCTION(merged)
	LOAD(%rax)
	movl $0, (%rax)
	LOAD(%rdx)
	mov %ecx, %esi
merged_start:
	movl $0x05000001, (%rdx)
merged_start_p:
	call work
	ret
END(merged)

/* Two ends in a row, of which the probe of the second sees both. */
FUNCTION(two_ends)
	LOAD(%rax)
two_ends_first:
	movl $0, (%rax)
two_ends_second:
	movl $0, (%rax)
two_ends_first_p:
two_ends_second_p:
	jmp work
END(two_ends)

/* A start that an end follows at once: the only place is between them. */
FUNCTION(no_time)
	LOAD(%rax)
no_time_start:
	movl $0x0a000005, (%rax)
no_time_start_p:
	mov %edi, %ecx
no_time_end:
	movl $0, (%rax)
no_time_end_p:
	jmp work
END(no_time)

/* Nothing but a return is left, in a short function: a probe on the return. */
FUNCTION(returns)
returns_end_p:
	push %rbx
	LOAD(%rax)
returns_end:
	movl $0, (%rax)
	pop %rbx
	ret
END(returns)

/* The same in a function that is long: a step is cheaper than a probe on every call. */
FUNCTION(returns_long)
	push %rbx
	test %edi, %edi
	je 1f
	.skip 130, 0x90
1:
	LOAD(%rax)
returns_long_end:
	movl $0, (%rax)
returns_long_end_p:
	pop %rbx
	ret
END(returns_long)

/* A call through a register is stepped, and so is what stands before it. */
FUNCTION(calls_register)
	LOAD(%rax)
calls_register_start:
	movl $0x0a000006, (%rax)
calls_register_start_p:
	mov %rdi, %rsi
	call *%rdx
	LOAD(%rax)
calls_register_end:
	movl $0, (%rax)
calls_register_end_p:
	call *%rdx
	ret
END(calls_register)

/* The start's probe must not come after the kernel was entered. */
FUNCTION(enters_kernel)
	LOAD(%rdx)
enters_kernel_start:
	movl $0x0a000007, (%rdx)
enters_kernel_start_p:
	mov $0, %eax
	syscall
enters_kernel_end:
	movl $0, (%rdx)
enters_kernel_end_p:
	call work
	ret
END(enters_kernel)

/* Two paths meet before the store, with two events. */
FUNCTION(joined)
	test %edi, %edi
	je 1f
	LOAD(%rax)
	mov $0x0a000008, %ecx
	jmp 2f
1:
	LOAD(%rax)
	mov $0x0a000009, %ecx
2:
joined_start:
	mov %ecx, (%rax)
joined_start_p:
	call work
	ret
END(joined)

/* A jump straight to the store, the pointer and the event already in hand. */
FUNCTION(middle)
	push %rbx
	LOAD(%rbx)
	mov $0x0a00000a, %ebp
	test %edi, %edi
	jne 1f
	LOAD(%rbx)
	mov $0x0a00000a, %ebp
1:
middle_start:
	mov %ebp, (%rbx)
	mov $1, %eax
middle_start_p:
	call work
	pop %rbx
	ret
END(middle)

FUNCTION(register_event)
	LOAD(%rax)
register_event_start:
	mov %edi, (%rax)
register_event_start_p:
	call work
	ret
END(register_event)

/* Zero was put into a register before the pointer was loaded. */
FUNCTION(register_zero)
	push %rbx
	xor %ebx, %ebx
	call work
	LOAD(%rax)
register_zero_end:
	mov %ebx, (%rax)
register_zero_end_p:
	call work
	pop %rbx
	ret
END(register_zero)

/* ... or on one of two paths only. */
FUNCTION(register_perhaps)
	push %rbx
	xor %ebx, %ebx
	test %edi, %edi
	je 1f
	mov %esi, %ebx
1:
	LOAD(%rax)
register_perhaps_start:
	mov %ebx, (%rax)
register_perhaps_start_p:
	call work
	pop %rbx
	ret
END(register_perhaps)

FUNCTION(cmov_event)
	LOAD(%rax)
	mov $0, %ecx
	test %edi, %edi
	cmovne %esi, %ecx
cmov_event_start:
	mov %ecx, (%rax)
cmov_event_start_p:
	call work
	ret
END(cmov_event)

/* The address of the variable is what is kept. */
FUNCTION(by_address)
	push %rbx
	lea my_wait_event_info(%rip), %rbx
	mov (%rbx), %rax
by_address_start:
	movl $0x0a00000b, (%rax)
by_address_start_p:
	call work
	mov (%rbx), %rax
by_address_end:
	movl $0, (%rax)
by_address_end_p:
	call work
	pop %rbx
	ret
END(by_address)

FUNCTION(exchanged)
	LOAD(%rcx)
	xchg %rcx, %rsi
exchanged_end:
	movl $0, (%rsi)
exchanged_end_p:
	call work
	ret
END(exchanged)

/* Round a loop, in a register that is taken over within it. */
FUNCTION(looped)
	LOAD(%r12)
	mov %r12, %r13
1:
looped_start:
	movl $0x0a00000c, (%r13)
looped_start_p:
	call work
	mov %r12, %r14
looped_end:
	movl $0, (%r14)
	dec %ebx
looped_end_p:
	jne 1b
	ret
END(looped)

/* The unlikely part lies elsewhere, as gcc puts it into .text.unlikely. */
FUNCTION(parted_cold)
parted_cold_end:
	movl $0, (%rbx)
parted_cold_end_p:
	call work
	ud2
END(parted_cold)

FUNCTION(parted)
	LOAD(%rbx)
parted_start:
	movl $0x0a00000d, (%rbx)
parted_start_p:
	call work
	test %eax, %eax
	js parted_cold
	ret
END(parted)

/* A switch with the pointer in a register that is kept over it. */
FUNCTION(switched)
	LOAD(%rbx)
	cmp $2, %edi
	ja 9f
	lea 8f(%rip), %rdx
	mov %edi, %eax
	movslq (%rdx,%rax,4), %rax
	add %rdx, %rax
	jmp *%rax
1:
switched_first:
	movl $0x0a00000e, (%rbx)
switched_first_p:
	call work
2:
switched_second:
	movl $0, (%rbx)
switched_second_p:
	call work
9:
	ret
END(switched)
	.section .rodata
	.balign 4
8:
	.long 1b - 8b, 2b - 8b, 9b - 8b
	.long 0
	.text

/* Behind a call that does not return stands another function, with another %rbx. */
FUNCTION(no_return)
	LOAD(%rbx)
no_return_start:
	movl $0x0a00000f, (%rbx)
no_return_start_p:
	call work
END(no_return)
FUNCTION(after_no_return)
	movl $1, (%rbx)
	ret
END(after_no_return)

/* --- no stores ------------------------------------------------------------------- */

FUNCTION(reader)
	LOAD(%rax)
	mov (%rax), %eax
	ret
END(reader)

FUNCTION(null_check)
	cmpq $0, my_wait_event_info(%rip)
	ret
END(null_check)

/*
 * The four bytes of the displacement are those of the pointer, seen without the immediate
 * behind them: no reference.
 */
FUNCTION(stores_to_neighbour)
	movl $1, neighbour(%rip)
	ret
END(stores_to_neighbour)

FUNCTION(setter)
	mov %rdi, my_wait_event_info(%rip)
	ret
END(setter)

FUNCTION(setter_to_local)
	lea elsewhere(%rip), %rax
	mov %rax, my_wait_event_info(%rip)
	ret
END(setter_to_local)

/* --- what cannot be followed ------------------------------------------------------ */

FUNCTION(escapes_to_call)
	LOAD(%rdi)
escapes_to_call_gap:
	call work
	ret
END(escapes_to_call)

FUNCTION(escapes_by_address)
	lea my_wait_event_info(%rip), %rdi
escapes_by_address_gap:
	call work
	ret
END(escapes_by_address)

FUNCTION(escapes_to_memory)
	LOAD(%rax)
escapes_to_memory_gap:
	mov %rax, elsewhere(%rip)
	ret
END(escapes_to_memory)

FUNCTION(escapes_by_return)
	LOAD(%rax)
escapes_by_return_gap:
	ret
END(escapes_by_return)

FUNCTION(computes)
	LOAD(%rax)
computes_gap:
	add %rdi, %rax
	movl $0, (%rax)
	ret
END(computes)

FUNCTION(changes)
	LOAD(%rax)
changes_gap:
	orl $1, (%rax)
	ret
END(changes)

FUNCTION(jumps_away)
	LOAD(%rbx)
jumps_away_gap:
	jmp *%rdi
END(jumps_away)

FUNCTION(spills_and_forgets)
	sub $24, %rsp
	LOAD(%rax)
spills_and_forgets_gap:
	mov %rax, 8(%rsp)
	add $24, %rsp
	ret
END(spills_and_forgets)

/* Vector registers are not followed. */
FUNCTION(goes_to_vector)
goes_to_vector_gap:
	vmovq my_wait_event_info(%rip), %xmm1
	ret
END(goes_to_vector)

/* AVX-512, which capstone 4 does not know. */
FUNCTION(goes_unknown)
	.byte 0x62, 0xf1, 0xfd, 0x08, 0x6e, 0x05
goes_unknown_gap:
	.long my_wait_event_info - . - 4
	ret
END(goes_unknown)

FUNCTION(never_used)
never_used_gap:
	LOAD(%rax)
	xor %eax, %eax
	ret
END(never_used)

/* --- entries ---------------------------------------------------------------------- */

FUNCTION(entry_push)
entry_push_p:
	push %rbp
	pop %rbp
	ret
END(entry_push)

FUNCTION(entry_endbr)
	endbr64
entry_endbr_p:
	push %r15
	pop %r15
	ret
END(entry_endbr)

/* The test can be passed, the argument is still there at the jump. */
FUNCTION(entry_later)
	test %rdx, %rdx
entry_later_p:
	jle 1f
	inc %eax
1:	ret
END(entry_later)

/* Past the first instruction the argument is gone. */
FUNCTION(entry_spoilt)
entry_spoilt_p:
	mov $1, %edi
	jmp work
END(entry_spoilt)

/* The second instruction is a loop's head: a probe there fires each time round. */
FUNCTION(entry_loop)
entry_loop_p:
	xor %eax, %eax
1:	nop
	dec %edx
	jne 1b
	ret
END(entry_loop)
