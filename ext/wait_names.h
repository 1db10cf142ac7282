/* SPDX-License-Identifier: PostgreSQL */
/*
 * wait_names.h
 *	  The wait events of this very server, by number and name.
 */
#ifndef PGT_WAIT_NAMES_H
#define PGT_WAIT_NAMES_H

/* Writes a PGT_WAIT_NAMES record.  Never raises an error. */
extern void wait_names_write(void);

#endif
