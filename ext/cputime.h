/* SPDX-License-Identifier: PostgreSQL */
/*
 * cputime.h
 *	  CPU time and run-queue time of this backend.
 */
#ifndef PGT_CPUTIME_H
#define PGT_CPUTIME_H

/* At the start and the end of a trace. */
extern void cputime_open(void);
extern void cputime_close(void);

/*
 * At now (clock_mono_ns(), just read): nanoseconds of CPU used, and nanoseconds
 * runnable without a CPU, both since some fixed moment.  Never raises an error.
 */
extern void cputime_get(uint64 now, uint64 *cpu_ns, uint64 *runqueue_ns);

#endif
