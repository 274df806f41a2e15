/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox - runs one OCI runtime spec.
 *
 * The embedded executor builds what the spec says (name spaces, mounts,
 * devices, masked paths, capabilities, seccomp, cgroup limits, pty) in one
 * child process and executes the command; or, when another runtime is asked
 * for, it writes the same spec as config.json into a bundle and hands it to
 * that program.  Spec: OCI runtime-spec v1.1, config.md and config-linux.md.
 *
 * Trust: the root file system is hostile (its links point anywhere, its /dev
 * may be a link), the spec is ours.  Everything inside the root is resolved
 * through base/root.h; mounts are attached by descriptor (fsopen, open_tree,
 * move_mount), never by a path that was checked before.
 *
 * Lifetime: the container's first process dies with the thread that started
 * it (PR_SET_PDEATHSIG) and takes its pid name space along; its mounts live
 * in its own mount name space; so kill -9 of us leaves nothing, but for a
 * cgroup, which the caller has noted in a lease before.  (A command that is
 * executed setuid, or resets its own death signal, outlives kill -9 of us;
 * another runtime's container does not, it is in a pid name space below ours.)
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "oci/oci.h"

/* A tree that is mounted by descriptor: a context, a cache, a file made for resolv.conf. */
struct sandbox_bind {
	int fd; /* from open_tree(OPEN_TREE_CLONE) or fsmount; closed in every case */
	const char *destination; /* in the container, absolute */
	bool readonly;
};

struct sandbox_options {
	const struct runtime_spec *spec; /* borrowed; spec->root.path is used if root_fd < 0 */
	int root_fd;	  /* detached mount of the root; closed in every case. -1: none */
	int netns_fd;	  /* joined if >= 0, whatever the spec says; borrowed */
	const int *stdio; /* three descriptors, borrowed; unused with a terminal; NULL:
			     /dev/null */
	const struct sandbox_bind *binds; /* attached after spec->mounts, in order */
	size_t nbinds;
	int cache_dir; /* where compiled seccomp filters are kept; -1: nowhere; borrowed */
	bool init;     /* --init: our own reaper is process 1 and forwards signals */
	const char *runtime;  /* NULL: embedded; else "crun", "runc" or a path */
	int bundle_dir;	      /* directory for config.json and the runtime's state (other
				 runtimes only); borrowed, -1 with the embedded one */
	const char *id;	      /* container id, names cgroup and bundle */
	struct strlist *made; /* NULL, or gets the paths that had to be made in the root to
				 mount on them: the first missing component of each */
};

/*
 * Device rules without a limit do not make a cgroup for each container: all
 * that have the same rules live in one group of the cgroup2 hierarchy, below
 * our own ("stave-devices-…"), to which the rules are attached as a program.
 * It is made by the first and stays.  Where that cannot be, the container gets
 * no CAP_MKNOD and a root whose device nodes do not work.
 */
struct sandbox {
	pid_t pid;    /* our child: the container's process 1 (or the other runtime) */
	int pidfd;    /* owned */
	int terminal; /* master side of the pty, -1 without; owned */
	bool oom;     /* after sandbox_wait(): the memory limit killed something in it */
};

/*
 * sandbox_start - build the container and execute its command
 *
 * Returns once the command was executed or could not be.  A command that is
 * not there gives -ERR_NOT_FOUND with err->exit_code 127, one that may not be
 * run -ERR_DENIED with 126, one that the kernel does not execute (format,
 * missing interpreter) -ERR_FAILED with 255, all else err->exit_code 125;
 * messages as Docker's (`exec: "foo": executable file not found in $PATH`).
 *
 * The caller has one thread: the child of a clone(2) allocates memory.  Nothing
 * of the caller's own state (directory, mask, signals) is touched.
 */
int sandbox_start(const struct sandbox_options *o, struct sandbox *out, struct error *err);

/* One more command in a container that runs. */
struct sandbox_enter {
	pid_t pid; /* its process 1 */
	const struct process_config *process;
	const struct seccomp_profile *seccomp;
	const int *stdio; /* as in sandbox_options */
	int cache_dir;	  /* likewise */
	bool survive;	  /* does not die with us, but with the container */
};

/*
 * Joins the name spaces and cgroups of process @pid and executes there.  Errors
 * are those of sandbox_start().  The container may end meanwhile: -ERR_CONFLICT.
 */
int sandbox_enter(const struct sandbox_enter *o, struct sandbox *out, struct error *err);

/*
 * Stops all processes of the container whose process 1 is @pid, or lets them go on.
 * The freezer's group is stave/@id where there is none of its own; it is for
 * sandbox_remove_cgroup().
 */
int sandbox_freeze(pid_t pid, const char *id, bool freeze, struct error *err);

/* New limits for a container that runs; its processes move into the groups that need to be. */
int sandbox_update(pid_t pid, const struct runtime_spec *spec, const char *id,
		   struct error *err);

/*
 * The directory @path of the container whose process 1 is @pid, with what is mounted there
 * but not below it, to be attached in another one (struct sandbox_bind).
 */
int sandbox_take_mount(pid_t pid, const char *path, int *out_fd, struct error *err);

/* What all processes of a container use now. */
struct sandbox_usage {
	uint64_t cpu_ns, memory, memory_limit, read_bytes, written_bytes;
	uint64_t rx_bytes, tx_bytes;
	unsigned pids;
};

void sandbox_measure(pid_t pid, struct sandbox_usage *out);

/* The processes of the container, as numbers out here. */
struct pid_list {
	pid_t *items; /* owned */
	size_t n, cap;
};

void sandbox_processes(pid_t pid, struct pid_list *out);

/* The first process of the container that the other runtime @runtime runs; 0: none yet. */
pid_t sandbox_inside(pid_t runtime);

/* When @pid started, in clock ticks since boot: with it a pid means one process. 0: gone. */
uint64_t sandbox_start_time(pid_t pid);

/* The exit code (128 + signal when killed); waits, closes what @s owns, removes its cgroup. */
int sandbox_wait(struct sandbox *s, const struct sandbox_options *o);

/* Removes the cgroups of a container that is gone (spec->linux.cgroups_path), absent is fine.
 */
int sandbox_remove_cgroup(const char *cgroups_path, struct error *err);

/* Sets the pty's size; harmless without one. */
void sandbox_resize(const struct sandbox *s, unsigned short rows, unsigned short columns);

/* Limits that the cgroups of this machine may not have. */
enum sandbox_feature {
	SANDBOX_MEMORY = 0,
	SANDBOX_SWAP,
	SANDBOX_MEMORY_RESERVATION,
	SANDBOX_SWAPPINESS,
	SANDBOX_NO_OOM_KILLER,
	SANDBOX_PIDS,
	SANDBOX_CPU_SHARES,
	SANDBOX_CPU_CFS,
	SANDBOX_CPUSET,
	SANDBOX_REAL_TIME,
	SANDBOX_BLKIO_WEIGHT,
	SANDBOX_BLKIO_THROTTLE,
	SANDBOX_FEATURE_COUNT,
};

bool sandbox_offers(enum sandbox_feature feature);

/* What this kernel and this user allow, for `stave info`: text such as "v1" or "v2". */
const char *sandbox_cgroup_version(void);
