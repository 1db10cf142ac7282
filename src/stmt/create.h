/* SPDX-License-Identifier: PostgreSQL */
/* Creating an output file in a folder where others may have put something in its place. */
#ifndef STMT_CREATE_H
#define STMT_CREATE_H

/*
 * Opens path for writing as a new file of mode 0600.  A regular file or a symbolic link of that name is
 * replaced, never written through; a device or a pipe is written to as it is.  The descriptor, or -1 after
 * one log_error line.
 */
int create_output(const char *path);

#endif
