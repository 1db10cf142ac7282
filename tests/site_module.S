/* SPDX-License-Identifier: PostgreSQL */
/* A shared object that waits by itself: the pointer is the server's, through the GOT. */
#include "site_macros.h"

/* Loaded anew each time. */
FUNCTION(module_plain)
	mov my_wait_event_info@GOTPCREL(%rip), %rax
	mov (%rax), %rax
module_plain_start:
	movl $0x07000000, (%rax)
module_plain_start_p:
	call *%rdi
	mov my_wait_event_info@GOTPCREL(%rip), %rax
	mov (%rax), %rax
module_plain_end:
	movl $0, (%rax)
module_plain_end_p:
	push %rbp
	pop %rbp
	ret
END(module_plain)

/* Loaded once, and kept over the call. */
FUNCTION(module_kept)
	push %rbx
	mov my_wait_event_info@GOTPCREL(%rip), %rbx
	mov (%rbx), %rax
module_kept_start:
	movl $0x07000000, (%rax)
module_kept_start_p:
	call 1f
1:	mov (%rbx), %rax
module_kept_end:
	movl $0, (%rax)
module_kept_end_p:
	call 2f
2:	pop %rbx
	ret
END(module_kept)
