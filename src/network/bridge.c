/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "network/network_address.h"
#include "network/network_entry.h"
#include "network/network_rules.h"

#include "base/banned.h"

#define DEFAULT_NAME	   "stave0"
#define DEFAULT_PREFIX_LEN 16
#define FIRST_NETWORK	   89 /* 10.89.0.0 */
#define LAST_NETWORK	   255
#define OWN_NAMESPACE	   "/proc/thread-self/ns/net"
#define STAMP_BYTES	   128
#define STATE_DIR	   "/run/stave"
#define RULES_VERSION	   3 /* to be raised with each change of what rules_load() makes */

void network_default_bridge(struct network_bridge *out)
{
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	struct network_pool *pool = &out->pools[NETWORK_IPV4];
	struct network_ip address = {0};
	unsigned prefix_len = 0;
	struct link l = {0};

	*out = (struct network_bridge){.name = DEFAULT_NAME, .network = "bridge"};
	pool->gateway = (struct network_ip){.len = 4, .bytes = {10, FIRST_NETWORK, 0, 1}};
	pool->prefix_len = DEFAULT_PREFIX_LEN;
	/* what fails here fails again, with words, where the bridge is used */
	if (netlink_open(&n, NETLINK_ROUTE, NULL) < 0 || link_find(&n, out->name, &l, NULL) < 0)
		return;
	if (l.index && link_address(&n, l.index, &address, &prefix_len, NULL) == 0 &&
	    address.len) {
		pool->gateway = address;
		pool->prefix_len = prefix_len;
		return;
	}
	for (unsigned net = FIRST_NETWORK; net <= LAST_NETWORK; net++) {
		const struct network_subnet s = {
			.network = {.len = 4, .bytes = {10, (unsigned char)net}},
			.prefix_len = DEFAULT_PREFIX_LEN};
		bool taken = false;

		if (link_overlaps(&n, &s, &taken, NULL) < 0 || taken)
			continue;
		pool->gateway.bytes[1] = (unsigned char)net;
		return;
	}
}

/*
 * What the bridge's state was when it was last made sure of: name space, interface, fingerprint
 * of the rules that matter, and generation of the whole ruleset.  The same generation means
 * that nobody has touched anything since; another one with the same fingerprint, that whoever
 * did so had nothing to do with us.
 */
struct stamp {
	char place[STAMP_BYTES];
	char rules[STAMP_BYTES];
	char generation[STAMP_BYTES];
};

static int stamp_place(int index, struct stamp *s, struct error *err)
{
	struct stat st = {0};

	if (stat(OWN_NAMESPACE, &st) < 0)
		return error_sys(err, "cannot look at " OWN_NAMESPACE);
	snprintf(s->place, STAMP_BYTES, "version %d netns %ju interface %d\n", RULES_VERSION,
		 (uintmax_t)st.st_ino, index);
	return 0;
}

static void stamp_generation(uint32_t generation, struct stamp *s)
{
	snprintf(s->generation, STAMP_BYTES, "ruleset %" PRIu32 "\n", generation);
}

static int stamp_now(const struct network_bridge *b, int index, struct stamp *s,
		     uint32_t *out_generation, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = rules_fingerprint(b, &d, out_generation, err);

	if (r < 0)
		return r;
	snprintf(s->rules, STAMP_BYTES, "rules %s\n", digest_hex(&d, hex));
	stamp_generation(*out_generation, s);
	return stamp_place(index, s, err);
}

static bool stamp_read(int state_dir, const char *file, struct buf *out)
{
	return io_read_file(state_dir, file, sizeof(struct stamp), out, NULL) == 0 && out->len;
}

static int stamp_write(int state_dir, const char *file, const struct stamp *s,
		       struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	buf_printf(&text, "%s%s%s", s->place, s->generation, s->rules);
	return io_write_file(state_dir, file, text.data, text.len, 0600, 0, err);
}

/* Has nobody touched the ruleset since? */
static bool stamp_matches(int state_dir, const char *file, int index)
{
	AUTO(buf) struct buf have = BUF_INIT, want = BUF_INIT;
	uint32_t generation;
	struct stamp now;

	if (!stamp_read(state_dir, file, &have) || stamp_place(index, &now, NULL) < 0 ||
	    rules_generation(&generation, NULL) < 0)
		return false;
	stamp_generation(generation, &now);
	buf_printf(&want, "%s%s", now.place, now.generation);
	return str_starts(buf_str(&have), buf_str(&want));
}

/* Somebody has: is what matters to us as it was?  Then this generation is as good. */
static bool stamp_renew(int state_dir, const char *file, const struct network_bridge *b,
			int index)
{
	AUTO(buf) struct buf have = BUF_INIT;
	uint32_t generation;
	struct stamp now;
	const char *rules;

	if (!stamp_read(state_dir, file, &have) ||
	    stamp_now(b, index, &now, &generation, NULL) < 0 ||
	    !str_starts(buf_str(&have), now.place))
		return false;
	rules = strstr(buf_str(&have), "rules ");
	return rules && str_eq(rules, now.rules) &&
	       stamp_write(state_dir, file, &now, NULL) == 0;
}

/* Makes the rules, and remembers what they are then. */
static int load_rules(const struct network_bridge *b, int state_dir, const char *file,
		      int index, struct error *err)
{
	uint32_t before, after;
	struct stamp now;
	int r = rules_generation(&before, err);

	if (r == 0)
		r = rules_load(b, err);
	if (r < 0)
		return r;
	r = stamp_now(b, index, &now, &after, err);
	/*
	 * Ours is one transaction.  If there was another one, it may have undone ours: nothing
	 * is remembered, and the next container looks again.
	 */
	if (r == -ERR_CONFLICT || (r == 0 && after != before + 1)) {
		error_clear(err);
		return 0;
	}
	return r < 0 ? r : stamp_write(state_dir, file, &now, err);
}

static int check_address(struct netlink *n, const struct network_bridge *b, int index,
			 bool *out_present, struct error *err)
{
	const struct network_pool *p = &b->pools[NETWORK_IPV4];
	struct network_ip address;
	unsigned prefix_len = 0;
	char text[NETWORK_TEXT_BYTES];

	if (link_address(n, index, &address, &prefix_len, err) < 0)
		return -ERR_SYSTEM;
	*out_present = address.len != 0;
	if (!address.len ||
	    (network_ip_equal(&address, &p->gateway) && prefix_len == p->prefix_len))
		return 0;
	error_set(err, ERR_CONFLICT, "interface %s has the address %s/%u already", b->name,
		  network_ip_text(&address, text), prefix_len);
	error_hint(err, "remove it with `ip link delete %s`", b->name);
	return -ERR_CONFLICT;
}

/* The long way: the bridge is not there, or the ruleset has changed. The lock is held. */
static int make_bridge(struct netlink *n, const struct network_bridge *b, int state_dir,
		       const char *file, struct link *out, struct error *err)
{
	bool present = false;
	int r;

	if (link_find(n, b->name, out, err) < 0)
		return -ERR_SYSTEM;
	/* somebody else did it while we waited for the lock; or other rules have changed */
	if (out->index && (stamp_matches(state_dir, file, out->index) ||
			   stamp_renew(state_dir, file, b, out->index)))
		return 0;
	/* until all is done nobody may trust an older stamp */
	if (unlinkat(state_dir, file, 0) < 0 && errno != ENOENT)
		return error_sys(err, "cannot remove %s", file);
	if (out->index && !out->is_bridge)
		return error_set(err, ERR_CONFLICT, "the interface %s is there and no bridge",
				 b->name);
	if (out->index) {
		r = check_address(n, b, out->index, &present, err);
		if (r < 0)
			return r;
	}
	if (!present) {
		r = link_make_bridge(n, b, out, err);
		if (r < 0)
			return r;
	}
	return load_rules(b, state_dir, file, out->index, err);
}

int bridge_ensure(struct netlink *n, const struct network_bridge *b, int state_dir, int lock,
		  struct link *out, struct error *err)
{
	char file[64];
	int r;

	snprintf(file, sizeof(file), "%s.rules", b->name);
	if (link_find(n, b->name, out, err) < 0)
		return -ERR_SYSTEM;
	r = rules_enable_forwarding(b, err);
	if (r < 0 || (out->index && stamp_matches(state_dir, file, out->index)))
		return r;
	r = io_lock(lock, true, true, err);
	if (r < 0)
		return r;
	r = make_bridge(n, b, state_dir, file, out, err);
	flock(lock, LOCK_UN);
	return r;
}

/* A directory that a reboot empties, as it does away with the bridge. */
int network_state_dir(int *out, struct error *err)
{
	const char *runtime_dir = secure_getenv("XDG_RUNTIME_DIR");
	AUTO(free) char *own = runtime_dir ? mem_printf("%s/stave", runtime_dir) : NULL;
	const char *const places[] = {STATE_DIR, own};

	int reason = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && places[i]; i++) {
		int fd;

		/* root's is /run/stave; in a user name space that one may be there, but not
		 * ours */
		if (mkdir(places[i], 0700) < 0 && errno != EEXIST)
			reason = errno;
		fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0) {
			*out = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
	}
	errno = reason ? reason : EACCES;
	return network_denied(err, "cannot write " STATE_DIR);
}

/* The files that remembered it; what is left of them does no harm. */
static void forget_state(const char *name)
{
	const char *const kinds[] = {"rules", address_files[NETWORK_IPV4],
				     address_files[NETWORK_IPV6]};
	AUTO(fd) int dir = -1;

	if (network_state_dir(&dir, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(free) char *file = mem_printf("%s.%s", name, kinds[i]);

		unlinkat(dir, file, 0);
	}
}

int network_bridge_remove(const struct network_bridge *b, struct error *err)
{
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	struct link l;
	int r;

	if (netlink_open(&n, NETLINK_ROUTE, err) < 0 || link_find(&n, b->name, &l, err) < 0)
		return -ERR_SYSTEM;
	r = l.index && link_is_ours(&l, b) ? link_remove(&n, b->name, err) : 0;
	if (r == 0)
		r = rules_remove(b->name, err);
	if (r == 0)
		forget_state(b->name);
	return r;
}
