/* SPDX-License-Identifier: PostgreSQL */
/*
 * directory.c
 *	  The directory of the control file and the record files.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"

#include "directory.h"
#include "guc.h"

static char path[MAXPGPATH];
static bool too_long;			/* path is cut off: not to be opened */

const char *
directory_path(void)
{
	if (path[0] != '\0')
		return path;
	if (guc_output_directory[0] == '/')
		too_long = strlcpy(path, guc_output_directory, sizeof(path)) >=
			sizeof(path);
	else
		too_long = snprintf(path, sizeof(path), "%s/%s", DataDir,
							guc_output_directory) >= (int) sizeof(path);
	return path;
}

/* 0 if the directory is the server's alone, else an errno. */
static int
check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return EPERM;
	return 0;
}

int
directory_open(void)
{
	int			fd;
	int			error;

	(void) directory_path();
	if (too_long)
		return -ENAMETOOLONG;
	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = check_owner(fd);
	if (error != 0)
	{
		close(fd);
		return -error;
	}
	return fd;
}

const char *
directory_hint(int error)
{
	switch (error)
	{
		case EPERM:
			return "The directory must belong to the server's user and be writable by no one else.";
		case ELOOP:
		case ENOTDIR:
			return "pg_trace.output_directory must be a directory, not a symbolic link or a file.";
		case ENOENT:
			return "Create the parent directory of pg_trace.output_directory.";
		case EACCES:
		case EROFS:
			return "Set pg_trace.output_directory to a directory that the server can write.";
		case ENOSPC:
		case EDQUOT:
			return "Free some space, lower pg_trace.min_free_space, or set pg_trace.output_directory to another file system.";
		default:
			return "Look at pg_trace.output_directory.";
	}
}
