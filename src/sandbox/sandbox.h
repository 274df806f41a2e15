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
 * cgroup, which the caller has noted in a lease before.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "oci/oci.h"

/* A tree that is mounted by descriptor: a context, a cache, a file made for resolv.conf. */
struct sandbox_bind {
	int fd;			 /* from open_tree(OPEN_TREE_CLONE) or fsmount; consumed */
	const char *destination; /* in the container, absolute */
	bool readonly;
};

struct sandbox_options {
	const struct runtime_spec *spec; /* borrowed; spec->root.path is used if root_fd < 0 */
	int root_fd;	  /* detached mount of the root; consumed by the move. -1: none */
	int netns_fd;	  /* joined if >= 0, whatever the spec says; borrowed */
	const int *stdio; /* three descriptors, borrowed; NULL or with a terminal: unused */
	const struct sandbox_bind *binds; /* attached after spec->mounts, in order */
	size_t nbinds;
	int cache_dir; /* where compiled seccomp filters are kept; -1: nowhere; borrowed */
	bool init;     /* --init: our own reaper is process 1 and forwards signals */
	const char *runtime; /* NULL: embedded; else "crun", "runc" or a path */
	int bundle_dir;	     /* directory for config.json and the runtime's state (other
				runtimes only); borrowed, -1 with the embedded one */
	const char *id;	     /* container id, names cgroup and bundle */
};

struct sandbox {
	pid_t pid;    /* our child: the container's process 1 (or the other runtime) */
	int pidfd;    /* owned */
	int terminal; /* master side of the pty, -1 without; owned */
};

/*
 * sandbox_start - build the container and execute its command
 *
 * Returns once the command was executed or could not be.  A command that is
 * not there gives -ERR_NOT_FOUND with err->exit_code 127, one that may not be
 * run -ERR_DENIED with 126, all else err->exit_code 125; messages as Docker's
 * (`exec: "foo": executable file not found in $PATH`).
 */
int sandbox_start(const struct sandbox_options *o, struct sandbox *out, struct error *err);

/* The exit code (128 + signal when killed); waits, closes what @s owns, removes its cgroup. */
int sandbox_wait(struct sandbox *s, const struct sandbox_options *o);

/* Removes the cgroups of a container that is gone (spec->linux.cgroups_path), absent is fine.
 */
int sandbox_remove_cgroup(const char *cgroups_path, struct error *err);

/* Sets the pty's size; harmless without one. */
void sandbox_resize(const struct sandbox *s, unsigned short rows, unsigned short columns);

/* What this kernel and this user allow, for `stave info`: text such as "v1" or "v2". */
const char *sandbox_cgroup_version(void);
