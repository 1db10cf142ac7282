/* SPDX-License-Identifier: PostgreSQL */
/*
 * For fixtures in assembly.  A store is labelled NAME, the place where its probe belongs
 * NAME_p; check_site.c looks both up by name.
 */
#define FUNCTION(name) \
	.globl name; \
	.type name, @function; \
	name: \
	.cfi_startproc

#define END(name) \
	.cfi_endproc; \
	.size name, . - name

	.section .note.GNU-stack, "", @progbits
	.text
