/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled filter, kept.
 *
 * Compiling Docker's profile takes milliseconds, loading the result
 * microseconds.  The file is named by a digest of all that the program
 * depends on: the rules, the machine, and who compiled.  It begins with the
 * digest of the program, so that a torn or foreign file is seen and made anew.
 */
#include "sandbox/sandbox_child.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"

#include "base/banned.h"

/* Counts up when this code makes another program of the same rules. */
#define CACHE_FORMAT 1

static void hash_list(struct hasher *h, const struct strlist *l)
{
	hasher_add_u64(h, l->n);
	for (size_t i = 0; i < l->n; i++)
		hasher_add_string(h, l->items[i]);
}

static void hash_rule(struct hasher *h, const struct seccomp_rule *r)
{
	hash_list(h, &r->names);
	hasher_add_u64(h, (uint64_t)r->action);
	hasher_add_u64(h, r->errno_ret);
	hasher_add_u64(h, r->nargs);
	for (size_t i = 0; i < r->nargs; i++) {
		hasher_add_u64(h, r->args[i].index);
		hasher_add_u64(h, (uint64_t)r->args[i].op);
		hasher_add_u64(h, r->args[i].value);
		hasher_add_u64(h, r->args[i].value_two);
	}
}

static char *cache_name(const struct seccomp_profile *p)
{
	struct hasher h;
	struct digest key;
	struct utsname machine;
	char hex[DIGEST_HEX_SIZE];

	uname(&machine);
	hasher_init(&h);
	hasher_add_u64(&h, CACHE_FORMAT);
	/* the version that we were built with: asking the library would load it */
	hasher_add_u64(&h, SCMP_VER_MAJOR << 16 | SCMP_VER_MINOR << 8 | SCMP_VER_MICRO);
	hasher_add_string(&h, machine.machine);
	hasher_add_u64(&h, (uint64_t)p->default_action);
	hasher_add_u64(&h, p->default_errno);
	hash_list(&h, &p->architectures);
	hash_list(&h, &p->flags);
	hasher_add_u64(&h, p->n);
	for (size_t i = 0; i < p->n; i++)
		hash_rule(&h, &p->items[i]);
	hasher_end(&h, &key);
	return mem_printf("seccomp-%s", digest_hex(&key, hex));
}

static unsigned load_flags(const struct seccomp_profile *p)
{
	unsigned flags = 0;

	for (size_t i = 0; i < p->flags.n; i++) {
		if (str_eq(p->flags.items[i], "SECCOMP_FILTER_FLAG_LOG"))
			flags |= SECCOMP_FILTER_FLAG_LOG;
		else if (str_eq(p->flags.items[i], "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
			flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		/* TSYNC means nothing to a process of one thread */
	}
	return flags;
}

/* 0 if the file is there and whole. */
static int read_cache(int dir, const char *name, struct seccomp_program *out)
{
	AUTO(buf) struct buf file = BUF_INIT;
	struct digest seen;
	size_t len;
	const size_t limit = DIGEST_SIZE + BPF_MAXINSNS * sizeof(struct sock_filter);

	if (io_read_file(dir, name, limit, &file, NULL) < 0 || file.len <= DIGEST_SIZE)
		return -1;
	len = file.len - DIGEST_SIZE;
	if (len % sizeof(struct sock_filter))
		return -1;
	digest_of(file.data + DIGEST_SIZE, len, &seen);
	if (memcmp(seen.bytes, file.data, DIGEST_SIZE) != 0)
		return -1;
	out->items = mem_alloc(len);
	memcpy(out->items, file.data + DIGEST_SIZE, len);
	out->n = len / sizeof(struct sock_filter);
	return 0;
}

static void write_cache(int dir, const char *name, const struct seccomp_program *p)
{
	AUTO(buf) struct buf file = BUF_INIT;
	struct error err = ERROR_INIT;
	struct digest d;
	size_t len = p->n * sizeof(struct sock_filter);

	digest_of(p->items, len, &d);
	buf_add(&file, d.bytes, DIGEST_SIZE);
	buf_add(&file, p->items, len);
	/* a cache that cannot be written costs time, nothing else */
	if (io_write_file(dir, name, file.data, file.len, 0644, 0, &err) < 0)
		log_debug("sandbox", "seccomp cache: %s", err.message);
	error_clear(&err);
}

int seccomp_program_get(const struct seccomp_profile *profile, int cache_dir,
			struct seccomp_program *out, struct error *err)
{
	AUTO(free) char *name = NULL;
	int r;

	*out = (struct seccomp_program){0};
	if (!profile->present)
		return 0;
	name = cache_name(profile);
	if (cache_dir < 0 || read_cache(cache_dir, name, out) < 0) {
		r = seccomp_program_compile(profile, out, err);
		if (r < 0)
			return r;
		if (cache_dir >= 0)
			write_cache(cache_dir, name, out);
	}
	out->flags = load_flags(profile);
	return 0;
}

int seccomp_program_load(const struct seccomp_program *p, struct error *err)
{
	struct sock_fprog prog = {.len = (unsigned short)p->n, .filter = p->items};

	if (!p->items)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &prog) < 0)
		return error_sys(err, "cannot load the seccomp filter");
	return 0;
}

void seccomp_program_clear(struct seccomp_program *p)
{
	free(p->items);
	*p = (struct seccomp_program){0};
}
