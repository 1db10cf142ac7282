/* SPDX-License-Identifier: PostgreSQL */
/*
 * slots.h
 *	  The mapped control file and its slots.  The format and who may write what
 *	  are in control.h.
 */
#ifndef PGT_SLOTS_H
#define PGT_SLOTS_H

#include "control.h"

/*
 * Maps the control file, creating it if it is not there or not ours.  Returns 0,
 * or an errno; then there are no slots and the next call tries again.
 */
extern int	slots_map(void);

/* Number of slots, 0 if there is no control file. */
extern uint32 slots_count(void);

/* The slot with this index. */
extern struct pgt_slot *slot_at(uint32 i);

/* The slot of pid, or NULL. */
extern struct pgt_slot *slot_find(pid_t pid);

/* The slot of pid, claimed if it had none; NULL if all are taken. */
extern struct pgt_slot *slot_claim(pid_t pid);

/* Does that process map the same control file?  Tells whether it has the library. */
extern bool slot_mapped_by(pid_t pid);

/*
 * Asks the slot's backend; base is copied for PGT_REQUEST_START.  level is that
 * of a start.
 */
extern void slot_request(struct pgt_slot *slot, enum pgt_request request,
						 uint32 level, const char *base);

/* Gives the slot of this backend back. */
extern void slot_release(struct pgt_slot *slot);

#endif
