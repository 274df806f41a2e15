/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, labels, user, groups and capabilities of the command. */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strlist.h"

#include "base/banned.h"

#define MASK(cap) (UINT64_C(1) << (cap))

static const struct {
	const char *name;
	int resource;
} limit_names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

static int set_limit(const struct rlimit_spec *r, struct error *err)
{
	struct rlimit wanted = {.rlim_cur = r->soft, .rlim_max = r->hard}, now;
	int resource = -1;

	for (size_t i = 0; i < ARRAY_SIZE(limit_names); i++)
		if (str_eq(limit_names[i].name, r->type))
			resource = limit_names[i].resource;
	if (resource < 0)
		return error_set(err, ERR_INVALID, "unknown limit %s", r->type);
	if (setrlimit((__rlimit_resource_t)resource, &wanted) == 0)
		return 0;
	/* raising needs CAP_SYS_RESOURCE: give what we have ourselves */
	if (errno != EPERM || getrlimit((__rlimit_resource_t)resource, &now) < 0)
		return error_sys(err, "cannot set the limit %s", r->type);
	if (wanted.rlim_max > now.rlim_max)
		wanted.rlim_max = now.rlim_max;
	if (wanted.rlim_cur > wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &wanted) < 0)
		return error_sys(err, "cannot set the limit %s", r->type);
	return 0;
}

int child_set_limits(struct child *c, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->spec->process.rlimits.n; i++)
		r = set_limit(&c->spec->process.rlimits.items[i], err);
	return r;
}

static int write_attribute(const char *file, const char *prefix, const char *value,
			   struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int fd = open(file, O_WRONLY | O_CLOEXEC);

	buf_printf(&text, "%s%s", prefix, value);
	if (fd < 0 || write(fd, text.data, text.len) < 0)
		return error_sys(err, "cannot write %s to %s", value, file);
	return 0;
}

/* While the host's /proc is there; the attributes take effect at the next execve(). */
int child_set_labels(const struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	AUTO(buf) struct buf score = BUF_INIT;
	int r = 0;

	if (p->has_oom_score_adj) {
		buf_printf(&score, "%d", p->oom_score_adj);
		r = write_attribute("/proc/self/oom_score_adj", "", buf_str(&score), err);
		if (r < 0)
			return error_wrap(err, "cannot set the OOM score");
	}
	/* a kernel without the module has nothing to confine with */
	if (p->apparmor_profile && access("/sys/kernel/security/apparmor", F_OK) == 0)
		r = write_attribute("/proc/self/attr/apparmor/exec", "exec ",
				    p->apparmor_profile, err);
	if (r == 0 && p->selinux_label && access("/sys/fs/selinux/enforce", F_OK) == 0)
		r = write_attribute("/proc/self/attr/exec", "", p->selinux_label, err);
	return r;
}

static int get_permitted(uint64_t *out, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return error_sys(err, "cannot read the capabilities");
	*out = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
		{.effective = (uint32_t)(effective >> 32),
		 .permitted = (uint32_t)(permitted >> 32)},
	};

	/* inheritable stays empty (CVE-2022-24769), and with it ambient */
	if (syscall(SYS_capset, &head, data) < 0)
		return error_sys(err, "cannot set the capabilities");
	return 0;
}

/* What the command may have at all: without device rules in force, no device nodes. */
static uint64_t allowed(const struct child *c, uint64_t mask)
{
	return c->cgroup->devices_open ? mask & ~MASK(CAP_MKNOD) : mask;
}

static int drop_bounding(uint64_t keep, struct error *err)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (keep & MASK(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* beyond the last one that this kernel knows */
			return 0;
		return error_sys(err, "cannot give up capability %u", cap);
	}
	return 0;
}

static bool wants_other_groups(const struct process_config *p)
{
	for (size_t i = 0; i < p->additional_gids.n; i++)
		if (p->additional_gids.items[i] != p->gid)
			return true;
	return false;
}

static int set_ids(const struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;

	/* never keep our own (CVE-2022-36109); but a user who mapped no more than himself has
	 * given up setgroups(), and keeps what he cannot drop */
	if (setgroups(p->additional_gids.n, p->additional_gids.items) < 0 &&
	    (errno != EPERM || wants_other_groups(p)))
		return error_sys(err, "cannot set the additional groups");
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		error_sys(err, "cannot become group %u", (unsigned)p->gid);
	else if (setresuid(p->uid, p->uid, p->uid) < 0)
		error_sys(err, "cannot become user %u", (unsigned)p->uid);
	else
		return 0;
	if (err->sys == EINVAL)
		error_hint(err, "this id is not mapped: see /etc/subuid and /etc/subgid");
	return -ERR_SYSTEM;
}

/*
 * The sets before the filter is loaded: the command's, and CAP_SYS_ADMIN in
 * case the filter needs it; that one gives no access to files, so that the
 * program is looked up with the command's own rights.
 */
static uint64_t interim(const struct child *c, uint64_t mask)
{
	bool needs_admin = !c->spec->process.no_new_privileges && c->filter->items;

	return mask | (needs_admin ? MASK(CAP_SYS_ADMIN) : 0);
}

static uint64_t own_mask(const struct child *c, uint64_t mask)
{
	/* execve() would take them from an ordinary user anyway */
	return c->spec->process.uid ? 0 : allowed(c, mask);
}

int child_drop_privileges(struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	uint64_t have = 0;
	int r = drop_bounding(allowed(c, p->bounding), err);

	if (r < 0)
		return r;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, "cannot set no_new_privs");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_sys(err, "cannot keep capabilities");
	r = set_ids(c, err);
	if (r < 0)
		return r;
	umask(p->has_umask ? p->umask : 0022);
	r = get_permitted(&have, err);
	if (r == 0)
		r = set_capabilities(interim(c, own_mask(c, p->effective)) & have,
				     interim(c, own_mask(c, p->permitted)) & have, err);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	/* a change of ids has cancelled it */
	child_die_with_parent(c);
	return r;
}

int child_final_capabilities(const struct child *c, struct error *err)
{
	const struct process_config *p = &c->spec->process;
	uint64_t have = 0;
	int r = get_permitted(&have, err);

	if (r < 0)
		return r;
	return set_capabilities(own_mask(c, p->effective) & have,
				own_mask(c, p->permitted) & have, err);
}
