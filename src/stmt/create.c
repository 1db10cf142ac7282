/* SPDX-License-Identifier: PostgreSQL */
#include "stmt/create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

int create_output(const char *path)
{
	struct stat st;
	bool exists = !lstat(path, &st);
	int fd;

	if (exists && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))) {
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	} else {
		if (exists && !S_ISDIR(st.st_mode))
			unlink(path);
		/* O_EXCL: whoever put a link here since then does not choose where we write. */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return log_error("cannot create %s: %s; choose another place with -o", path,
				 exists && S_ISDIR(st.st_mode) ? "it is a directory" : strerror(errno));
	return fd;
}
