/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules: which nodes may be opened or made.
 *
 * A container holds CAP_MKNOD by default, so that without these rules it
 * could make and open the host's disk.  Joining a version 1 group for each
 * container costs an RCU grace period (11 ms measured), a fresh version 2
 * group and program almost 1 ms.  But the rules are nearly always the same,
 * so one version 2 group for each set of rules is made once, below our own
 * group, and stays; entering it with the clone is free.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

struct program {
	struct bpf_insn *items;
	size_t n;
	size_t cap;
};

enum {
	R0,
	R1,
	R2,
	R3,
	R4,
	R5
};

static size_t emit(struct program *p, struct bpf_insn insn)
{
	*vec_push(p) = insn;
	return p->n - 1;
}

static void load_field(struct program *p, unsigned to, short offset)
{
	emit(p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				  .dst_reg = to & 0xf,
				  .src_reg = R1,
				  .off = offset});
}

static void alu(struct program *p, unsigned char op, unsigned reg, int value)
{
	emit(p, (struct bpf_insn){.code = (unsigned char)(BPF_ALU | op | BPF_K),
				  .dst_reg = reg & 0xf,
				  .imm = value});
}

/* A jump whose target is not known yet. */
static size_t jump(struct program *p, unsigned char op, unsigned reg, int value)
{
	return emit(p, (struct bpf_insn){.code = (unsigned char)(BPF_JMP | op | BPF_K),
					 .dst_reg = reg & 0xf,
					 .imm = value});
}

static void leave(struct program *p, int verdict)
{
	emit(p, (struct bpf_insn){
			.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = R0, .imm = verdict});
	emit(p, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

static int access_mask(const struct device_rule *r)
{
	int mask = 0;

	for (size_t i = 0; i < sizeof(r->access) && r->access[i]; i++)
		mask |= r->access[i] == 'r'   ? BPF_DEVCG_ACC_READ
			: r->access[i] == 'w' ? BPF_DEVCG_ACC_WRITE
					      : BPF_DEVCG_ACC_MKNOD;
	return mask ? mask : BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD;
}

/* r2: type, r3: access, r4: major, r5: minor.  False if it matches everything. */
static bool emit_rule(struct program *p, const struct device_rule *r)
{
	size_t misses[5], n = 0;
	int mask = access_mask(r);

	if (r->type != 'a')
		misses[n++] = jump(p, BPF_JNE, R2,
				   r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (mask != (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)) {
		emit(p, (struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X,
					  .dst_reg = R1,
					  .src_reg = R3});
		/* to be allowed, all that is asked must be in the rule; to be denied, any */
		alu(p, BPF_AND, R1, r->allow ? ~mask : mask);
		misses[n++] = jump(p, r->allow ? BPF_JNE : BPF_JEQ, R1, 0);
	}
	if (r->type != 'a' && r->major >= 0)
		misses[n++] = jump(p, BPF_JNE, R4, (int)r->major);
	if (r->type != 'a' && r->minor >= 0)
		misses[n++] = jump(p, BPF_JNE, R5, (int)r->minor);
	leave(p, r->allow);
	for (size_t i = 0; i < n; i++)
		p->items[misses[i]].off = (short)(p->n - misses[i] - 1);
	return n > 0;
}

static void make_program(const struct device_rule_list *rules, struct program *p)
{
	load_field(p, R2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(p, (struct bpf_insn){
			.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = R3, .src_reg = R2});
	alu(p, BPF_RSH, R3, 16);
	alu(p, BPF_AND, R2, 0xffff);
	load_field(p, R4, offsetof(struct bpf_cgroup_dev_ctx, major));
	load_field(p, R5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	/* the last rule that matches decides; the kernel refuses code that is never reached */
	for (size_t i = rules->n; i-- > 0;)
		if (!emit_rule(p, &rules->items[i]))
			return;
	leave(p, 0);
}

bool device_policy_is_open(const struct device_rule_list *rules)
{
	const struct device_rule *last;

	if (!rules->n)
		return true;
	last = &rules->items[rules->n - 1];
	return last->allow && last->type == 'a' && access_mask(last) == 7;
}

static int attach_program(int dir, const struct program *p)
{
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE};
	union bpf_attr attach = {.attach_type = BPF_CGROUP_DEVICE};
	AUTO(fd) int fd = -1;

	load.insns = (uint64_t)(uintptr_t)p->items;
	load.insn_cnt = (uint32_t)p->n;
	load.license = (uint64_t)(uintptr_t) "Apache-2.0";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0)
		return -1;
	attach.target_fd = (uint32_t)dir;
	attach.attach_bpf_fd = (uint32_t)fd;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0 ? -1 : 0;
}

static bool has_program(int dir)
{
	union bpf_attr query = {0};

	query.query.target_fd = (uint32_t)dir;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	return syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) == 0 &&
	       query.query.prog_cnt > 0;
}

int device_policy_attach(int dir, const struct device_rule_list *rules)
{
	struct program p = {0};
	int r;

	make_program(rules, &p);
	r = attach_program(dir, &p);
	free(p.items);
	return r;
}

/* ---- the shared group -------------------------------------------------------------------- */

/* Our own group in version 2, so that limits on us go on to hold for the container. */
static int open_own_group(void)
{
	AUTO(fd) int hierarchy = cgroup_open_unified();
	AUTO(fd) int proc = -1;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(free) char *path = NULL;
	const char *line;
	int fd = -1;

	proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (hierarchy < 0 || proc < 0 ||
	    io_read_file(proc, "cgroup", 1u << 20, &text, NULL) < 0)
		return -1;
	line = strstr(buf_str(&text), "0::/");
	if (!line || (line != text.data && line[-1] != '\n'))
		return -1;
	line += strlen("0::/");
	path = mem_strndup(line, strcspn(line, "\n"));
	if (root_open(hierarchy, ROOT_BENEATH, path, O_RDONLY | O_DIRECTORY, 0, &fd, NULL) < 0)
		return -1;
	return fd;
}

static char *group_name(const struct program *p)
{
	struct digest d;
	char hex[DIGEST_HEX_SIZE];

	digest_of(p->items, p->n * sizeof(*p->items), &d);
	digest_hex(&d, hex);
	return mem_printf("stave-devices-%.16s", hex);
}

/* The group for these rules, made by the first who needs it; -1 if it cannot be. */
static int open_shared_group(const struct device_rule_list *rules)
{
	struct program p = {0};
	AUTO(fd) int own = open_own_group();
	AUTO(fd) int dir = -1;
	AUTO(free) char *name = NULL;

	if (own < 0)
		return -1;
	make_program(rules, &p);
	name = group_name(&p);
	if (mkdirat(own, name, 0755) == 0 || errno == EEXIST)
		dir = openat(own, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* somebody may have been killed between making it and attaching */
	if (dir >= 0 && !has_program(dir) && attach_program(dir, &p) < 0)
		close_fd(&dir);
	free(p.items);
	return take_fd(&dir);
}

/* ---- version 1, where there is nothing else ------------------------------------------------
 */

static int write_v1_rule(int dir, const struct device_rule *r)
{
	const char *file = r->allow ? "devices.allow" : "devices.deny";
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	if (r->type == 'a') {
		buf_addstr(&text, "a");
	} else {
		buf_printf(&text, "%c ", r->type);
		if (r->major < 0)
			buf_addstr(&text, "*:");
		else
			buf_printf(&text, "%lld:", (long long)r->major);
		if (r->minor < 0)
			buf_addstr(&text, "* ");
		else
			buf_printf(&text, "%lld ", (long long)r->minor);
		buf_printf(&text, "%.4s", r->access[0] ? r->access : "rwm");
	}
	return fd < 0 || write(fd, text.data, text.len) < 0 ? -1 : 0;
}

static int add_v1_group(const struct device_rule_list *rules, struct cgroup *out)
{
	AUTO(fd) int hierarchy = cgroup_open_controller("devices");
	AUTO(fd) int dir = -1;
	AUTO(free) char *name = NULL;
	struct program p = {0};

	if (hierarchy < 0 || out->njoins == CGROUP_JOINS_MAX)
		return -1;
	make_program(rules, &p);
	name = group_name(&p);
	free(p.items);
	if (mkdirat(hierarchy, name, 0755) < 0 && errno != EEXIST)
		return -1;
	dir = openat(hierarchy, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -1;
	/* written each time: cheap beside the join, and heals what was left half done */
	for (size_t i = 0; i < rules->n; i++)
		if (write_v1_rule(dir, &rules->items[i]) < 0)
			return -1;
	out->joins[out->njoins++] =
		(struct cgroup_join){.controller = "devices", .dir = take_fd(&dir)};
	return 0;
}

/* Elsewhere nobody can make a device node, and none on a mount made there works. */
static bool in_initial_user_namespace(void)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(fd) int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0 || io_read_file(proc, "uid_map", 1u << 16, &text, NULL) < 0)
		return true;
	return strstr(buf_str(&text), "4294967295") != NULL;
}

void device_policy_prepare(const struct device_rule_list *rules, struct cgroup *out)
{
	bool enforced;

	if (device_policy_is_open(rules))
		return;
	if (out->v2 >= 0) {
		enforced = device_policy_attach(out->v2, rules) == 0;
	} else {
		out->v2 = open_shared_group(rules);
		enforced = out->v2 >= 0 || add_v1_group(rules, out) == 0;
	}
	out->devices_open = !enforced && in_initial_user_namespace();
}
