/* SPDX-License-Identifier: PostgreSQL */
/*
 * guc.h
 *	  The settings under pg_trace.
 */
#ifndef PGT_GUC_H
#define PGT_GUC_H

extern bool guc_enabled;		/* this session is to be traced */
extern int	guc_level;			/* at this level */
extern char *guc_output_directory;
extern int	guc_max_file_size;	/* kB, 0: no limit */
extern int	guc_min_free_space;	/* kB, 0: none */
extern int	guc_bind_max_length;	/* bytes of one bind */
extern bool guc_redact_binds;
extern bool guc_node_timing;
extern char *guc_printer;

/* Defines them all; called once, from _PG_init. */
extern void guc_define(void);

#endif
