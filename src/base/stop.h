/* SPDX-License-Identifier: PostgreSQL */
/*
 * The signals that ask the program to end are noted, and end nothing by themselves: what is in place must be
 * taken away first.  System calls that wait are interrupted by them (no SA_RESTART), so that a write to a
 * pipe that nobody reads cannot hold the program.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

/* From now on INT, TERM, QUIT, and HUP unless it is ignored (nohup), are noted; PIPE is ignored. */
void stop_catch(void);
/* The signal that asked, or 0. */
int stop_asked(void);

#endif
