/* SPDX-License-Identifier: PostgreSQL */
/*
 * xact.h
 *	  PGT_XACT records.
 */
#ifndef PGT_XACT_H
#define PGT_XACT_H

/* Registers the callbacks. */
extern void xact_init(void);

#endif
