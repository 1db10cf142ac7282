/* SPDX-License-Identifier: PostgreSQL */
/* Where a computed jump may go. */
#ifndef SITE_SWITCH_H
#define SITE_SWITCH_H

#include "site/code.h"

/*
 * Calls found for each place that the computed jump may reach: the entries of all jump tables
 * that its function names, since which of them the jump uses is not asked.  Returns how many
 * there were; 0: no table was found.  *steps is lowered by the instructions and entries looked at.
 */
size_t switch_targets(struct decoder *decoder, const struct insn *jump, size_t *steps,
		      void (*found)(uint64_t vaddr, void *arg), void *arg);

#endif
