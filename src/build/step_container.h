/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_container - the container of a RUN, in the step's process; and a second one
 * in its place, if the first has failed and somebody wants to look.
 */
#pragma once

#include "build/mount.h"
#include "build/step.h"
#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

/* All that one container is made of. */
struct container {
	struct container_options options;
	struct runtime_spec spec;
	struct sandbox_bind *binds; /* resolv.conf and the like, then the mounts */
	size_t n_binds;
	int root;
	int etc;
};

#define CONTAINER_INIT                                         \
	((struct container){.options = CONTAINER_OPTIONS_INIT, \
			    .spec = RUNTIME_SPEC_INIT,         \
			    .root = -1,                        \
			    .etc = -1})

void container_clear(struct container *c);

static inline void container_auto(struct container *c)
{
	container_clear(c);
}

/* What the instruction and the build say. */
void container_prepare(const struct job *j, struct container *c);
/* resolv.conf and the like; before mounts_enter() if @set is empty, after it if not. */
int container_etc(const struct job *j, const struct mount_set *set, struct container *c,
		  struct error *err);
/* The spec for .root and .options. */
int container_spec(const struct job *j, struct container *c, struct error *err);
/* For sandbox_start(), which uses up the root, the binds and what else is in it. */
void container_sandbox(const struct job *j, struct container *c, const int stdio[3],
		       struct sandbox_options *out);

/* ---- step_shell.c ---- */

/*
 * The command failed with @err, which will be the step's.  If the build wants a
 * shell then (struct job .shell), this waits until the terminal is free, opens
 * one in a container like the one that failed, and returns at its end.
 */
void step_shell(struct job *j, const struct mount_set *set, struct error *err);
