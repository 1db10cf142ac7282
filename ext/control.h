/* SPDX-License-Identifier: PostgreSQL */
/*
 * control.h - the control file, through which SQL in another session and the
 * collector ask a backend to start or stop its trace.
 *
 * The file "pg_trace.ctl" lies in pg_trace.output_directory (0600, the server's)
 * and is mapped shared by every process that has loaded the library; the
 * collector finds it by that name in /proc/PID/maps.  It is one header and a
 * fixed number of slots, an open-addressing table keyed by pid: probe from
 * pgt_slot_first(pid), one step at a time, at most all slots.
 *
 * Who may write what:
 *  - pid: claimed by compare-and-swap from 0 (or from a pid that is dead) by the
 *    backend itself or by whoever asks it; set to 0 by the backend at its exit.
 *    A slot may be given back in the middle of a chain, so a search for a pid
 *    does not end at a free slot.
 *  - request*, requested_ns, base, heartbeat: by the one who asks.  They are filled
 *    first, then request_seq is raised by one with release.
 *  - answer_seq, state, record: by the backend, answer_seq last with release.
 *
 * A backend looks at its slot at the beginning of each statement: one load
 * (request_seq) and one branch when nothing is asked.
 */
#ifndef PGT_CONTROL_H
#define PGT_CONTROL_H

#include <stdint.h>

#define PGT_CONTROL_FILE "pg_trace.ctl"
#define PGT_CONTROL_MAGIC "PGTCTL1"	/* 8 bytes with its NUL */
#define PGT_CONTROL_HEADER 4096u
#define PGT_BASE_SIZE 64

/* A collector that asked sets heartbeat_ns at least once a second; without it for
 * this long the backend ends the trace by itself, so that a killed collector does
 * not leave one running. */
#define PGT_HEARTBEAT_LIMIT_NS UINT64_C(10000000000)

enum pgt_request {
	PGT_REQUEST_NONE = 0,
	PGT_REQUEST_START,
	PGT_REQUEST_STOP,
};

enum pgt_slot_state {
	PGT_SLOT_IDLE = 0,
	PGT_SLOT_TRACING,
	PGT_SLOT_FAILED,	/* the last start failed; failure says why */
};

struct pgt_control {
	char magic[8];
	uint32_t slots;
	uint32_t slot_size;	/* sizeof(struct pgt_slot) */
	uint32_t server_version_num;
	uint32_t unused;
	char boot_id[40];	/* of the kernel that its times and pids are of; /proc/sys/kernel/random/boot_id */
};

struct pgt_slot {
	uint32_t pid;		/* 0: free */
	uint32_t request_seq;
	uint32_t answer_seq;	/* the request_seq that was carried out last */
	uint32_t request;	/* enum pgt_request */
	uint32_t request_level;
	uint32_t state;		/* enum pgt_slot_state */
	uint32_t level;		/* of the running trace */
	uint32_t failure;	/* errno of PGT_SLOT_FAILED */
	uint64_t heartbeat_ns;	/* CLOCK_MONOTONIC; 0: nobody needs to be alive */
	uint64_t started_ns;	/* CLOCK_MONOTONIC, of the running trace */
	char base[PGT_BASE_SIZE];	/* asked for: "pg_trace_12345_1699123456" */
	char record[PGT_BASE_SIZE];	/* the running or last trace's base; ".rec" lies beside this file */
	uint64_t requested_ns;	/* CLOCK_MONOTONIC of the request; 0: heartbeat_ns is it.  A request
				 * older than the backend was meant for a dead one with its pid */
	char unused[72];
};

_Static_assert(sizeof(struct pgt_slot) == 256, "slot");

/* The first slot to look at for pid. */
static inline uint32_t
pgt_slot_first(uint32_t pid, uint32_t slots)
{
	return (pid * UINT32_C(2654435761)) % slots;
}

#endif
