/* SPDX-License-Identifier: PostgreSQL */
/* A program at a fixed address: the variable is named by absolute addresses, too. */
#include "site_macros.h"

	.globl my_wait_event_info
	.data
	.type my_wait_event_info, @object
	.size my_wait_event_info, 8
my_wait_event_info:
	.quad 0
	.text

FUNCTION(_start)
	ret
END(_start)

FUNCTION(fixed_relative)
	mov my_wait_event_info(%rip), %rax
fixed_relative_start:
	movl $0x0a000001, (%rax)
fixed_relative_start_p:
	call _start
	ret
END(fixed_relative)

FUNCTION(fixed_absolute)
	mov my_wait_event_info, %r9
fixed_absolute_start:
	movl $0x0a000002, (%r9)
fixed_absolute_start_p:
	call _start
	ret
END(fixed_absolute)

FUNCTION(fixed_constant)
	mov $my_wait_event_info, %r10d
	mov (%r10), %rax
fixed_constant_start:
	movl $0x0a000003, (%rax)
fixed_constant_start_p:
	call _start
	mov $my_wait_event_info, %rcx
	mov (%rcx), %rax
fixed_constant_end:
	movl $0, (%rax)
fixed_constant_end_p:
	call _start
	ret
END(fixed_constant)

/* A switch by absolute addresses. */
FUNCTION(fixed_switch)
	mov my_wait_event_info(%rip), %rbx
	mov %edi, %eax
	jmp *8f(,%rax,8)
1:
fixed_switch_end:
	movl $0, (%rbx)
fixed_switch_end_p:
	call _start
	ret
END(fixed_switch)
	.section .rodata
	.balign 8
8:
	.quad 1b, 1b
	.quad 0
