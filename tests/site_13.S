/* SPDX-License-Identifier: PostgreSQL */
/*
 * PostgreSQL 13 and before: MyProc->wait_event_info, behind a check for NULL, in a struct
 * whose other fields are written through the same pointer.  The field is at 0x2c8 here.
 */
#include "site_macros.h"

	.globl MyProc
	.bss
	.type MyProc, @object
	.size MyProc, 8
MyProc:
	.quad 0
	.text

#define FIELD 0x2c8

FUNCTION(_start)
	ret
END(_start)

FUNCTION(checked)
	mov MyProc(%rip), %rax
	cmpb $0, _start(%rip)
	je 1f
	test %rax, %rax
	je 1f
checked_start:
	movl $0x09000001, FIELD(%rax)
	mov %edi, %edx
checked_start_p:
1:	call _start
	mov MyProc(%rip), %rax
	test %rax, %rax
	je 2f
checked_end:
	movl $0, FIELD(%rax)
checked_end_p:
2:	jmp _start
END(checked)

FUNCTION(of_register)
	mov MyProc(%rip), %rdx
	test %rdx, %rdx
	je 1f
of_register_start:
	mov %edi, FIELD(%rdx)
of_register_start_p:
1:	jmp _start
END(of_register)

FUNCTION(second_constant)
	mov MyProc(%rip), %rdx
second_constant_start:
	movl $0x0a000007, FIELD(%rdx)
second_constant_start_p:
	call _start
	ret
END(second_constant)

/* Other fields: zero, small numbers, the pointer passed on. */
FUNCTION(other_fields)
	push %rbx
	mov MyProc(%rip), %rbx
	movl $0, 0x30(%rbx)
	movl $1, 0x34(%rbx)
	movl $2, 0x34(%rbx)
	movb $1, 0x38(%rbx)
	lea 0x10(%rbx), %rsi
	mov %rbx, %rdi
	call _start
	pop %rbx
	ret
END(other_fields)

/* It goes into a local struct, whose address is passed on. */
FUNCTION(in_a_struct)
	push %rbp
	mov %rsp, %rbp
	sub $0x20, %rsp
	mov MyProc(%rip), %rax
	lea -0x20(%rbp), %rsi
	mov %rax, -0x18(%rbp)
	call _start
	leave
	ret
END(in_a_struct)

/* On the stack, which then moves by what nobody knows: whether it is used cannot be told. */
FUNCTION(under_a_moved_stack)
	sub $0x28, %rsp
	mov MyProc(%rip), %rax
under_a_moved_stack_gap:
	mov %rax, 8(%rsp)
	sub %rdi, %rsp
	jmp _start
END(under_a_moved_stack)

FUNCTION(of_null)
	cmpq $0, MyProc(%rip)
	sete %al
	ret
END(of_null)
