/* SPDX-License-Identifier: Apache-2.0 */
/* Which name spaces are new, which are joined, and the id maps. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/process.h"

#include "base/banned.h"

int setns(int fd, int nstype);

static bool is_joined(const struct sandbox_options *o, enum namespace_type type)
{
	const struct namespace_spec *ns = &o->spec->namespaces[type];

	if (type == NAMESPACE_NETWORK && o->netns_fd >= 0)
		return true;
	return ns->present && ns->path;
}

uint64_t namespaces_new_flags(const struct sandbox_options *o)
{
	/* the mounts of a container are never made in our own name space */
	uint64_t flags = CLONE_NEWNS;

	for (int t = 0; t < NAMESPACE_COUNT; t++) {
		enum namespace_type type = (enum namespace_type)t;

		/* a cgroup name space begins at the group that was joined, see child.c */
		if (type == NAMESPACE_CGROUP || is_joined(o, type))
			continue;
		if (o->spec->namespaces[t].present)
			flags |= (uint64_t)(unsigned)namespace_clone_flag(type);
	}
	return flags;
}

bool namespaces_need_stage(const struct sandbox_options *o)
{
	bool any = false;

	for (int t = 0; t < NAMESPACE_COUNT; t++)
		any = any || is_joined(o, (enum namespace_type)t);
	/* a pid name space is entered by the next child only; and what belongs to the outer
	 * user name space must be joined before a new one is made */
	return is_joined(o, NAMESPACE_PID) || is_joined(o, NAMESPACE_USER) ||
	       (any && o->spec->namespaces[NAMESPACE_USER].present);
}

static int join_path(const char *path, enum namespace_type type, struct error *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "cannot open the %s name space %s", namespace_name(type),
				 path);
	if (setns(fd, namespace_clone_flag(type)) < 0)
		return error_sys(err, "cannot join the %s name space %s", namespace_name(type),
				 path);
	return 0;
}

int namespaces_join(const struct sandbox_options *o, struct error *err)
{
	/* the user name space first: it holds the right to join those that belong to it */
	static const enum namespace_type order[] = {
		NAMESPACE_USER, NAMESPACE_PID,	  NAMESPACE_UTS,    NAMESPACE_IPC,
		NAMESPACE_TIME, NAMESPACE_CGROUP, NAMESPACE_NETWORK};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct namespace_spec *ns = &o->spec->namespaces[order[i]];
		int r;

		if (order[i] == NAMESPACE_NETWORK && o->netns_fd >= 0) {
			if (setns(o->netns_fd, CLONE_NEWNET) < 0)
				return error_sys(err, "cannot join the network name space");
			continue;
		}
		if (!is_joined(o, order[i]))
			continue;
		r = join_path(ns->path, order[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* the kernel takes a map in one write only */
	return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* An ordinary user's ranges are written by the setuid helper of the system. */
static int run_helper(const char *helper, pid_t pid, const struct id_mapping_list *maps)
{
	struct strlist args = STRLIST_INIT;
	struct buf none = BUF_INIT;
	int status = -1;

	strlist_add(&args, helper);
	strlist_printf(&args, "%d", (int)pid);
	for (size_t i = 0; i < maps->n; i++) {
		strlist_printf(&args, "%u", maps->items[i].container_id);
		strlist_printf(&args, "%u", maps->items[i].host_id);
		strlist_printf(&args, "%u", maps->items[i].size);
	}
	if (process_run(args.items, NULL, 4096, &none, NULL, &status, NULL) < 0)
		status = -1;
	strlist_clear(&args);
	buf_clear(&none);
	return status == 0 ? 0 : -1;
}

static int write_map(pid_t pid, const char *file, const char *helper,
		     const struct id_mapping_list *maps, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int saved;

	if (!maps->n)
		return error_set(err, ERR_INVALID,
				 "a new user name space needs mappings of users and groups");
	for (size_t i = 0; i < maps->n; i++)
		buf_printf(&text, "%u %u %u\n", maps->items[i].container_id,
			   maps->items[i].host_id, maps->items[i].size);
	if (write_proc(pid, file, buf_str(&text)) == 0)
		return 0;
	saved = errno;
	if (saved == EPERM && run_helper(helper, pid, maps) == 0)
		return 0;
	/* an unprivileged map of one's own group is allowed once setgroups() is given up */
	if (saved == EPERM && write_proc(pid, "setgroups", "deny") == 0 &&
	    write_proc(pid, file, buf_str(&text)) == 0)
		return 0;
	errno = saved;
	error_sys(err, "cannot write the %s of the container", file);
	error_hint(err, "see /etc/subuid and /etc/subgid, and whether %s is installed", helper);
	return -ERR_SYSTEM;
}

int namespaces_write_maps(const struct runtime_spec *spec, pid_t pid, struct error *err)
{
	int r = write_map(pid, "uid_map", "newuidmap", &spec->uid_mappings, err);

	return r < 0 ? r : write_map(pid, "gid_map", "newgidmap", &spec->gid_mappings, err);
}
