/* SPDX-License-Identifier: PostgreSQL */
/*
 * binds.h
 *	  PGT_BINDS records.
 */
#ifndef PGT_BINDS_H
#define PGT_BINDS_H

#include "nodes/params.h"

/*
 * Writes the values of params as text.  A type's output function that raises an
 * error costs that value only; a cancel or the end of the session is passed on.
 */
extern void binds_write(uint32 cursor, ParamListInfo params);

#endif
