/* SPDX-License-Identifier: PostgreSQL */
/*
 * control.c
 *	  The mapped control file and its slots.
 *
 * The file is made whole under another name and renamed, so nobody maps half of it,
 * and it needs no lock to be mapped; makers exclude each other with a lock on the
 * directory, for which nobody waits long.  A file of an earlier run of the server is
 * taken over if it is sane and of this boot (pids and times are): its slots are of
 * dead processes, and whoever needs one claims it.
 *
 * A backend that has inherited the mapping from the postmaster compares it once with
 * the file of that name: a store into a file that was truncated is SIGBUS.
 *
 * Two processes may claim a slot for the same pid at once (the backend and one
 * that asks it).  Both walk the same way, and the one that loses the
 * compare-and-swap looks at the slot again; it can only miss the other's claim
 * where a third process gave a slot back in between, and then the request is not
 * seen and can be made again.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "replication/walsender.h"

#include "clock.h"
#include "directory.h"
#include "slots.h"

#define MIN_SLOTS 256
#define MAX_SLOTS (1 << 20)

/* Whoever makes the file needs less than this; whoever else has the lock may keep it. */
#define LOCK_TRIES 20
#define LOCK_PAUSE_US 5000

static struct
{
	struct pgt_control *header; /* NULL: not mapped */
	struct pgt_slot *slots;
	uint32		count;
	dev_t		dev;
	ino_t		ino;
	int			compared_by;	/* pid that has compared it with the named file */
}			control;

static size_t
file_size(uint32 slots)
{
	return PGT_CONTROL_HEADER + (size_t) slots * sizeof(struct pgt_slot);
}

/*
 * A power of two, at least twice the processes there can be.  MaxBackends is not
 * known yet when libraries are preloaded.
 */
static uint32
slots_wanted(void)
{
	uint32		processes = MaxConnections + autovacuum_max_workers + 1 +
		max_worker_processes + max_wal_senders;
	uint32		n = MIN_SLOTS;

	while (n < 2 * processes && n < MAX_SLOTS)
		n *= 2;
	return n;
}

/* Of the running kernel; "" if it cannot be told. */
static const char *
boot_id(void)
{
	static char id[40];
	FILE	   *f;

	if (id[0] != '\0' || (f = fopen("/proc/sys/kernel/random/boot_id", "re")) == NULL)
		return id;
	if (fgets(id, sizeof(id), f) == NULL)
		id[0] = '\0';
	fclose(f);
	id[strcspn(id, "\n")] = '\0';
	return id;
}

/* Is it a control file that this server can use? */
static bool
is_sane(const struct pgt_control *c, off_t size)
{
	return memcmp(c->magic, PGT_CONTROL_MAGIC, sizeof(c->magic)) == 0 &&
		c->slot_size == sizeof(struct pgt_slot) &&
		c->server_version_num == PG_VERSION_NUM &&
		strncmp(c->boot_id, boot_id(), sizeof(c->boot_id)) == 0 &&
		c->slots >= slots_wanted() && c->slots <= MAX_SLOTS &&
		(uint64) size == file_size(c->slots);
}

static int
map_fd(int fd)
{
	struct pgt_control c;
	struct stat st;
	void	   *p;

	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		pread(fd, &c, sizeof(c), 0) != sizeof(c) || !is_sane(&c, st.st_size))
		return EINVAL;
	p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return errno;
	control.header = p;
	control.slots = (struct pgt_slot *) ((char *) p + PGT_CONTROL_HEADER);
	control.count = c.slots;
	control.dev = st.st_dev;
	control.ino = st.st_ino;
	control.compared_by = MyProcPid;
	return 0;
}

static int
map_existing(int dirfd)
{
	int			fd = openat(dirfd, PGT_CONTROL_FILE,
							O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int			error;

	if (fd < 0)
		return errno;
	error = map_fd(fd);
	close(fd);
	return error;
}

/* Fills a new file; 0 or an errno. */
static int
fill_new(int fd)
{
	struct pgt_control c = {
		.magic = PGT_CONTROL_MAGIC,
		.slots = slots_wanted(),
		.slot_size = sizeof(struct pgt_slot),
		.server_version_num = PG_VERSION_NUM,
	};
	int			error;

	strlcpy(c.boot_id, boot_id(), sizeof(c.boot_id));
	do
	{
		error = posix_fallocate(fd, 0, (off_t) file_size(c.slots));
	} while (error == EINTR);
	if (error != 0)
		return error;
	if (pwrite(fd, &c, sizeof(c), 0) != sizeof(c))
		return errno;
	return 0;
}

static int
create_new(int dirfd)
{
	const char *temporary = PGT_CONTROL_FILE ".tmp";
	int			fd;
	int			error;

	/* One left by a maker that was killed; we hold the directory's lock. */
	(void) unlinkat(dirfd, temporary, 0);
	fd = openat(dirfd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
				O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return errno;
	error = fill_new(fd);
	if (error == 0 && renameat(dirfd, temporary, dirfd, PGT_CONTROL_FILE) != 0)
		error = errno;
	if (error == 0)
		error = map_fd(fd);
	else
		(void) unlinkat(dirfd, temporary, 0);
	close(fd);
	return error;
}

/* Under the lock; another may have made the file meanwhile. */
static int
create(int dirfd)
{
	static int	tries = LOCK_TRIES; /* a process waits once, then never again */

	while (flock(dirfd, LOCK_EX | LOCK_NB) != 0)
	{
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		if (tries == 0)
			return EBUSY;
		tries--;
		pg_usleep(LOCK_PAUSE_US);
	}
	return map_existing(dirfd) == 0 ? 0 : create_new(dirfd);
}

/* Is what is mapped still the named file and whole?  One that was removed is whole. */
static bool
is_current(void)
{
	char		path[MAXPGPATH + sizeof(PGT_CONTROL_FILE) + 1];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", directory_path(), PGT_CONTROL_FILE);
	if (lstat(path, &st) != 0)
		return true;
	return st.st_dev == control.dev && st.st_ino == control.ino &&
		(uint64) st.st_size >= file_size(control.count);
}

/* True if there is a mapping that may be touched. */
static bool
is_mapped(void)
{
	if (control.header == NULL)
		return false;
	if (control.compared_by == MyProcPid || is_current())
	{
		control.compared_by = MyProcPid;
		return true;
	}
	munmap(control.header, file_size(control.count));
	memset(&control, 0, sizeof(control));
	return false;
}

int
slots_map(void)
{
	int			dirfd;
	int			error;

	if (is_mapped())
		return 0;
	dirfd = directory_open();
	if (dirfd < 0)
		return -dirfd;
	error = map_existing(dirfd);
	if (error != 0)
		error = create(dirfd);
	close(dirfd);				/* and unlock */
	return error;
}

uint32
slots_count(void)
{
	return control.count;
}

struct pgt_slot *
slot_at(uint32 i)
{
	return &control.slots[i % control.count];
}

static uint32
slot_pid(const struct pgt_slot *slot)
{
	return __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);
}

struct pgt_slot *
slot_find(pid_t pid)
{
	uint32		first;

	if (control.count == 0)
		return NULL;
	first = pgt_slot_first((uint32) pid, control.count);
	for (uint32 i = 0; i < control.count; i++)
	{
		struct pgt_slot *slot = slot_at(first + i);

		if (slot_pid(slot) == (uint32) pid)
			return slot;
	}
	return NULL;
}

/*
 * From a slot that was given up to one that may be asked: whoever claims it
 * takes over request_seq as it is, so that no old request looks new.
 */
static bool
take(struct pgt_slot *slot, uint32 from, pid_t pid)
{
	if (!__atomic_compare_exchange_n(&slot->pid, &from, (uint32) pid, false,
									 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return from == (uint32) pid;
	slot->answer_seq = slot->request_seq;
	slot->state = PGT_SLOT_IDLE;
	slot->heartbeat_ns = 0;
	slot->requested_ns = 0;
	slot->record[0] = '\0';
	return true;
}

static bool
is_dead(uint32 pid)
{
	return kill((pid_t) pid, 0) != 0 && errno == ESRCH;
}

struct pgt_slot *
slot_claim(pid_t pid)
{
	struct pgt_slot *slot = slot_find(pid);
	uint32		first;

	if (slot != NULL || control.count == 0)
		return slot;
	first = pgt_slot_first((uint32) pid, control.count);
	/* First those that are free, then those of the dead. */
	for (int pass = 0; pass < 2; pass++)
	{
		for (uint32 i = 0; i < control.count; i++)
		{
			uint32		owner;

			slot = slot_at(first + i);
			owner = slot_pid(slot);
			if (owner == (uint32) pid)
				return slot;
			if ((owner == 0 || (pass == 1 && is_dead(owner))) &&
				take(slot, owner, pid))
				return slot;
		}
	}
	return NULL;
}

bool
slot_mapped_by(pid_t pid)
{
	char		name[64];
	char		line[MAXPGPATH + 128];
	bool		found = false;
	FILE	   *f;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int) pid);
	f = fopen(name, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
	{
		unsigned long ino;

		/* Not the device: overlay file systems show another one here. */
		found = sscanf(line, "%*s %*s %*s %*s %lu", &ino) == 1 &&
			ino == control.ino && strstr(line, "/" PGT_CONTROL_FILE) != NULL;
	}
	fclose(f);
	return found;
}

void
slot_request(struct pgt_slot *slot, enum pgt_request request, uint32 level,
			 const char *base)
{
	slot->request = request;
	slot->request_level = level;
	memset(slot->base, 0, sizeof(slot->base));
	if (base != NULL)
		strlcpy(slot->base, base, sizeof(slot->base));
	slot->heartbeat_ns = 0;
	slot->requested_ns = clock_mono_ns();
	__atomic_add_fetch(&slot->request_seq, 1, __ATOMIC_RELEASE);
}

void
slot_release(struct pgt_slot *slot)
{
	slot->state = PGT_SLOT_IDLE;
	slot->answer_seq = slot->request_seq;
	slot->heartbeat_ns = 0;
	slot->requested_ns = 0;
	__atomic_store_n(&slot->pid, 0, __ATOMIC_RELEASE);
}
