/* SPDX-License-Identifier: PostgreSQL */
/* A shared object with functions and data, and no wait in it. */
#include "site_macros.h"

FUNCTION(first)
	mov counter@GOTPCREL(%rip), %rax
	incl (%rax)
	ret
END(first)

	.skip 16, 0x90

FUNCTION(second)
	.skip 40, 0x90
	ret
END(second)

	.data
	.globl counter
	.type counter, @object
	.size counter, 4
counter:
	.long 7
