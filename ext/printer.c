/* SPDX-License-Identifier: PostgreSQL */
/*
 * printer.c
 *	  Runs the program that makes a readable trace (.trc) of a record file.
 *
 * The arguments are fixed and there is no shell.  The child gets the server's
 * standard error (the log) and no other descriptor of the backend, and default
 * signal handling.  It has a process group of its own, so that no signal that the
 * postmaster sends to the backend's group is taken for one to it.  It does not
 * outlive the backend: as an orphan it would be reaped by process 1, which in a
 * container is the postmaster, and that takes the end of a child it does not know
 * that did not go well for a crash of the server.  So there is one printer at a time,
 * and a backend that leaves ends it.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/latch.h"

#include "clock.h"
#include "compat.h"
#include "directory.h"
#include "guc.h"
#include "printer.h"

#define WAIT_LIMIT_NS (10 * NS_PER_SEC)
#define WAIT_STEP_MS 5

extern char **environ;

static pid_t running;			/* the printer nobody has waited for yet, 0 if none */

/* Is name in that directory a program that may be run?  Then path is its path. */
static bool
is_program(const char *directory, size_t length, const char *name, char *path)
{
	if (length == 0 || directory[0] != '/')
		return false;			/* PATH may name the current directory: no */
	snprintf(path, MAXPGPATH, "%.*s/%s", (int) length, directory, name);
	return access(path, X_OK) == 0;
}

/* Finds the program; false if it is not installed. */
static bool
find_program(const char *name, char *path)
{
	static const char usual[] = "/usr/local/bin:/usr/bin";
	const char *lists[] = {getenv("PATH"), usual};

	if (strchr(name, '/') != NULL)
	{
		strlcpy(path, name, MAXPGPATH);
		return access(path, X_OK) == 0;
	}
	for (int i = 0; i < lengthof(lists); i++)
	{
		for (const char *p = lists[i]; p != NULL && *p != '\0';)
		{
			size_t		length = strcspn(p, ":");

			if (is_program(p, length, name, path))
				return true;
			p += length;
			p += *p == ':';
		}
	}
	return false;
}

/* The child closes what this backend has open, but for standard error. */
static int
close_descriptors(posix_spawn_file_actions_t *actions)
{
	DIR		   *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int			error = 0;

	if (dir == NULL)
		return errno;
	while (error == 0 && (entry = readdir(dir)) != NULL)
	{
		int			fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			error = posix_spawn_file_actions_addclose(actions, fd);
	}
	closedir(dir);
	return error;
}

static int
redirect(posix_spawn_file_actions_t *actions)
{
	int			error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
														 "/dev/null", O_RDONLY, 0);

	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO,
												 "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = close_descriptors(actions);
	return error;
}

static int
default_signals(posix_spawnattr_t *attr)
{
	sigset_t	all;
	sigset_t	none;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setpgroup(attr, 0);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF |
									POSIX_SPAWN_SETSIGMASK |
									POSIX_SPAWN_SETPGROUP);
}

static int
spawn(const char *program, char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int			error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attr);
	if (error == 0)
	{
		error = redirect(&actions);
		if (error == 0)
			error = default_signals(&attr);
		if (error == 0)
			error = posix_spawn(pid, program, &actions, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* One that was left running may have ended: no zombies.  True: there is none. */
static bool
reap(void)
{
	if (running != 0 && waitpid(running, NULL, WNOHANG) != 0)
		running = 0;
	return running == 0;
}

void
printer_kill(void)
{
	if (reap())
		return;
	kill(running, SIGKILL);
	while (waitpid(running, NULL, 0) < 0 && errno == EINTR)
		;
	running = 0;
}

int
printer_start(const char *base)
{
	char		program[MAXPGPATH];
	char		rec[MAXPGPATH + 128];
	char		trc[MAXPGPATH + 128];
	char	   *const argv[] = {"pgtrace-perf", "print", rec, "-o", trc, NULL};
	pid_t		pid;
	int			error;

	if (!reap())
		return -EBUSY;
	if (!find_program(guc_printer, program))
		return -ENOENT;
	snprintf(rec, sizeof(rec), "%s/%s.rec", directory_path(), base);
	snprintf(trc, sizeof(trc), "%s/%s.trc", directory_path(), base);
	error = spawn(program, argv, &pid);
	if (error != 0)
		return -error;
	running = pid;
	return pid;
}

/* One step of waiting; a cancel ends the printer. */
static void
doze(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 WAIT_STEP_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		printer_kill();
		PG_RE_THROW();
	}
	PG_END_TRY();
}

PrinterEnd
printer_wait(int pid)
{
	uint64		limit = clock_mono_ns() + WAIT_LIMIT_NS;
	int			status = 0;
	pid_t		ended;

	while ((ended = waitpid(pid, &status, WNOHANG)) == 0)
	{
		if (clock_mono_ns() > limit)
			return PRINTER_RUNNING;
		doze();
	}
	running = 0;
	return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
		PRINTER_DONE : PRINTER_FAILED;
}
