/* SPDX-License-Identifier: PostgreSQL */
/*
 * directory.h
 *	  The directory of the control file and the record files.
 */
#ifndef PGT_DIRECTORY_H
#define PGT_DIRECTORY_H

/*
 * Absolute path of the directory.  It is settled by the first call, in the
 * postmaster if the library is preloaded, so that every process that shares the
 * control file also shares the directory.
 */
extern const char *directory_path(void);

/*
 * Opens the directory, creating it (0700) if it is not there.  It must be the
 * server's own, writable by nobody else, and no symbolic link: a directory that
 * another user controls could lead the server's writes elsewhere.  Returns a
 * descriptor that the caller closes, or -errno; EPERM is a foreign directory.
 */
extern int	directory_open(void);

/* What an errno of directory_open() or of a file in it means to an administrator. */
extern const char *directory_hint(int error);

#endif
