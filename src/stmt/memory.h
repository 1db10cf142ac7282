/* SPDX-License-Identifier: PostgreSQL */
/* Reading record format from memory instead of a file: for unit tests and fuzzing. */
#ifndef STMT_MEMORY_H
#define STMT_MEMORY_H

#include "stmt/stmt.h"

/* As stmt_open.  The bytes stay the caller's and must outlive the file; name is for messages. */
struct stmt_file *stmt_open_memory(const void *bytes, size_t length, const char *name);

#endif
