/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_child - what the parts of the embedded executor share.
 *
 * The parent (sandbox.c) prepares what may be slow or may allocate files (the
 * filter, the cgroup), clones, and then only listens.  The child (child.c)
 * builds the container from the inside:
 *
 *   join cgroups and name spaces → attach the root → mounts → devices →
 *   masks → pivot → terminal, credentials, filter → execve
 *
 * Until the pivot the host's paths are still reachable, and needed as sources
 * of binds; all that concerns the container goes through @root and
 * ROOT_INSIDE.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "sandbox/sandbox.h"

/* ---- channel: one SOCK_SEQPACKET pair, the child's end is close-on-exec --------------------
 */

enum channel_type {
	CHANNEL_ERROR = 'e',	/* an encoded struct error; the child ends */
	CHANNEL_PID = 'p',	/* u32: the container's process, from the stage before it */
	CHANNEL_MAPS = 'u',	/* waits for its id maps; answered by CHANNEL_GO */
	CHANNEL_HOOKS = 'h',	/* waits for the hooks of the runtime; answered likewise */
	CHANNEL_GO = 'g',	/* parent to child */
	CHANNEL_TERMINAL = 't', /* carries the master of the pty */
	CHANNEL_MADE = 'm',	/* a path that was made to mount on */
	CHANNEL_EXEC = 'x',	/* all is built; end of file now means: executed */
};

#define CHANNEL_MAX (32u << 10)

struct channel_message {
	enum channel_type type;
	int fd; /* -1 or owned by the receiver */
	size_t len;
	char data[CHANNEL_MAX];
};

int channel_send(int channel, enum channel_type type, const void *data, size_t len,
		 int passed_fd);
/* Bytes of the packet, 0 at the end, -1 with errno. */
int channel_receive(int channel, struct channel_message *out);

/* ---- seccomp --------------------------------------------------------------------------------
 */

struct seccomp_program {
	struct sock_filter *items; /* owned; NULL: unconfined */
	size_t n;
	unsigned flags; /* SECCOMP_FILTER_FLAG_x */
};

/* From the cache, or compiled and put there. @cache_dir may be -1. */
int seccomp_program_get(const struct seccomp_profile *profile, int cache_dir,
			struct seccomp_program *out, struct error *err);
/* Compiles with libseccomp; only seccomp_program_get() calls it. */
int seccomp_program_compile(const struct seccomp_profile *profile, struct seccomp_program *out,
			    struct error *err);
int seccomp_program_load(const struct seccomp_program *p, struct error *err);
void seccomp_program_clear(struct seccomp_program *p);

static inline void seccomp_program_auto(struct seccomp_program *p)
{
	seccomp_program_clear(p);
}

/* ---- cgroups --------------------------------------------------------------------------------
 */

#define CGROUP_MOUNT_POINT "/sys/fs/cgroup"
#define CGROUP_PROCS_LIMIT (16u << 20)
#define CGROUP_JOINS_MAX   8

/* One version 1 hierarchy in which the container has a group. */
struct cgroup_join {
	const char *controller; /* static */
	int dir;		/* owned */
};

struct cgroup {
	int v2; /* directory for CLONE_INTO_CGROUP, -1: stay; owned */
	struct cgroup_join joins[CGROUP_JOINS_MAX];
	size_t njoins;
	bool devices_open; /* the device rules could not be set: see child_restrict() */
};

#define CGROUP_INIT ((struct cgroup){.v2 = -1})

/* Makes the groups and sets limits and device rules, before the clone. */
int cgroup_prepare(const struct sandbox_options *o, struct cgroup *out, struct error *err);
/* In the child: version 1 groups are joined by writing. */
int cgroup_join(const struct cgroup *g, struct error *err);
void cgroup_clear(struct cgroup *g);
/* The container's path below each hierarchy, without a leading slash; NULL: it has none. New.
 */
char *cgroup_path_of(const struct sandbox_options *o);

static inline void cgroup_auto(struct cgroup *g)
{
	cgroup_clear(g);
}

enum cgroup_layout {
	CGROUP_LAYOUT_NONE = 0,
	CGROUP_LAYOUT_V1, /* perhaps with a cgroup2 beside it ("hybrid") */
	CGROUP_LAYOUT_V2,
};

enum cgroup_layout cgroup_layout(void);
/* The cgroup2 mount of either layout, or -1. */
int cgroup_open_unified(void);
/* The hierarchy of one version 1 controller, or -1. */
int cgroup_open_controller(const char *name);
/* Writes @value into the file @name of a group; @limit is the word for the message. */
int cgroup_write(int dir, const char *name, const char *value, const char *limit,
		 struct error *err);
/* A number, or "max" if it is negative: all files of version 2, and pids.max. */
int cgroup_write_or_max(int dir, const char *name, int64_t value, const char *limit,
			struct error *err);
int cgroup_v1_prepare(const struct sandbox_options *o, const char *path, struct cgroup *out,
		      struct error *err);
int cgroup_v1_remove(const char *path, struct error *err);
int cgroup_v2_prepare(const struct sandbox_options *o, const char *path, struct cgroup *out,
		      struct error *err);
/* cpu.weight (1 … 10000, 100) for the shares of version 1 (2 … 262144, 1024). */
uint64_t cgroup_v2_weight(uint64_t shares);
int cgroup_v2_remove(const char *path, struct error *err);
/* Kills what is left in a group and removes it; absent is fine. */
int cgroup_remove_dir(int hierarchy, const char *path, struct error *err);

/* ---- device rules ---------------------------------------------------------------------------
 */

/* Do the rules allow everything (or are there none)? */
bool device_policy_is_open(const struct device_rule_list *rules);
/*
 * Puts the container under its device rules: @out->v2 becomes a group that
 * has them as a program, or a version 1 group is added to the joins.
 */
void device_policy_prepare(const struct device_rule_list *rules, struct cgroup *out);
/* Attaches the rules to the version 2 group @dir. 0 or -1 with errno. */
int device_policy_attach(int dir, const struct device_rule_list *rules);

/* ---- name spaces ----------------------------------------------------------------------------
 */

/* CLONE_NEWx of the spec, without what is joined and without cgroup (see child.c). */
uint64_t namespaces_new_flags(const struct sandbox_options *o);
/* Must a stage join something before the container's process is cloned? */
bool namespaces_need_stage(const struct sandbox_options *o);
int namespaces_join(const struct sandbox_options *o, struct error *err);
/* In the parent. */
int namespaces_write_maps(const struct runtime_spec *spec, pid_t pid, struct error *err);

/* ---- the child ------------------------------------------------------------------------------
 */

struct child {
	const struct sandbox_options *o;
	const struct runtime_spec *spec;
	const struct seccomp_program *filter;
	const struct cgroup *cgroup;
	int channel;
	int parent;    /* pidfd */
	int root;      /* the container's root, attached; the tree of all look-ups */
	int dev;       /* the tmpfs on /dev, -1: none of ours */
	int pts;       /* the devpts, -1: none */
	int null;      /* /dev/null of the container, verified, -1: none */
	int cwd;       /* the working directory */
	int slave;     /* of the pty, -1 without */
	char *bundle;  /* where the root is until it is entered, for hooks; NULL: there are none
			*/
	int *sources;  /* trees of the binds in spec->mounts, -1 for others */
	bool user_ns;  /* ids are those of a new user name space */
	bool entering; /* sandbox_enter(): the container is there already */
	bool survive;
};

/* Never returns: executes or reports. */
_Noreturn void child_main(struct child *c);
_Noreturn void child_enter_main(struct child *c);
_Noreturn void child_fail(struct child *c, struct error *err);
/* Asks to die with the parent, and looks whether it is still there. */
void child_die_with_parent(const struct child *c);
/* --init: returns in the child that shall execute; the other one is the reaper. */
int child_start_init(struct child *c, struct error *err);

/* hooks.c */
#define HOOKS_ROOT "rootfs" /* in the bundle, in the container's mount name space */
bool hooks_any(const struct runtime_spec *spec);
/* With hooks: config.json and the place for the root, in the bundle. */
int hooks_prepare(const struct sandbox_options *o, struct error *err);
int hooks_run(const struct sandbox_options *o, enum hook_kind kind, const char *bundle,
	      const char *status, pid_t pid, struct error *err);
/* Those whose failure changes nothing. */
void hooks_run_after(const struct sandbox_options *o, enum hook_kind kind, const char *status,
		     pid_t pid);
/* Before the root is entered: createRuntime by the parent, then createContainer. */
int child_run_hooks(struct child *c, struct error *err);

/* rootfs.c */
int child_attach_root(struct child *c, struct error *err);
int child_enter_root(struct child *c, struct error *err);
int child_open_cwd(struct child *c, struct error *err);

/* mounts.c */
int child_open_sources(struct child *c, struct error *err);
int child_mount_all(struct child *c, struct error *err);
/* Attaches the tree @fd at @destination inside the root, making the mount point. */
int child_attach(struct child *c, int fd, const char *destination, bool nofollow,
		 struct error *err);
int child_attach_to(int fd, int target, const char *destination, struct error *err);

/* mount_options.c */
struct mount_options {
	uint64_t set;	      /* MOUNT_ATTR_x */
	uint64_t propagation; /* MS_PRIVATE …, 0: none said */
	bool bind;
	bool recursive;
	struct strlist data; /* what the file system itself understands */
};

void mount_options_parse(const struct mount_spec *m, struct mount_options *out);
static inline void mount_options_auto(struct mount_options *m)
{
	strlist_clear(&m->data);
}

/* mount_cgroup.c */
int child_mount_cgroup(struct child *c, const struct mount_spec *m,
		       const struct mount_options *how, struct error *err);
/* A new file system instance as a detached mount. */
int child_new_fs(const char *type, const char *source, const struct strlist *data,
		 uint64_t attributes, int *out_fd, struct error *err);

/* devices.c */
int child_make_devices(struct child *c, struct error *err);
/* masks.c */
int child_mask_paths(struct child *c, struct error *err);
int child_write_sysctls(struct child *c, struct error *err);

/* terminal.c */
int child_open_terminal(struct child *c, struct error *err);
int child_take_terminal(struct child *c, struct error *err);
int child_set_stdio(struct child *c, struct error *err);

/* credentials.c */
int child_set_limits(struct child *c, struct error *err);
int child_set_labels(const struct child *c, struct error *err);
int child_drop_privileges(struct child *c, struct error *err);
/* The last step, when no more privilege is needed. */
int child_final_capabilities(const struct child *c, struct error *err);

/* exec.c */
/* Finds args[0] as the container's user sees it. */
int child_find_program(const struct child *c, char **out_path, struct error *err);
int child_execute(const struct child *c, const char *path, struct error *err);

/* ---- entering ----------------------------------------------------------------------------
 */

/* A process in the cgroups of another; of version 1 only those where we are not yet. */
int cgroup_of_process(pid_t pid, struct cgroup *out, struct error *err);
/* Which name spaces of @pid (CLONE_NEWx) are not ours. */
int namespaces_of_process(pid_t pid);
/* Did the memory limit of the container at @path kill? */
bool cgroup_had_oom(const char *path);

/* ---- other runtimes
 * --------------------------------------------------------------------------- */

int other_runtime_start(const struct sandbox_options *o, struct sandbox *out,
			struct error *err);
/* Becomes the runtime, with the streams that are set; returns with the error. */
int runtime_execute(struct child *c, const struct strlist *args, const struct strlist *env,
		    struct error *err);

/* runtime_attend.c: containers with a terminal.  @bundle is open in the processes to come. */
#define RUNTIME_CONSOLE "console.sock"
_Noreturn void runtime_attend(struct child *c, const char *bundle_path, int bundle,
			      const struct strlist *env);
/* Why the runtime ended before its container ran, from its log. */
int runtime_failure(const char *runtime, int bundle, struct error *err);
