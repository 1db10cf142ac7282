/* SPDX-License-Identifier: PostgreSQL */
/*
 * hooks.h
 *	  The server's hooks.
 */
#ifndef PGT_HOOKS_H
#define PGT_HOOKS_H

/* Puts ours in front of those that are there. */
extern void hooks_init(void);

#endif
