/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/strlist.h"

#include "base/banned.h"

#define NFT_OUTPUT_BYTES (4u << 20)

const char *const rules_foreign_chains[2] = {"DOCKER-USER", "FORWARD"};
const char *const rules_families[NETWORK_FAMILIES] = {"ip", "ip6"};

static const struct {
	const char *file, *advice;
} forwarding[NETWORK_FAMILIES] = {
	{"/proc/sys/net/ipv4/ip_forward", "run `sysctl -w net.ipv4.ip_forward=1` as root, or "
					  "use --network=host"},
	{"/proc/sys/net/ipv6/conf/all/forwarding",
	 "run `sysctl -w net.ipv6.conf.all.forwarding=1` as root, or use a network without "
	 "IPv6"},
};

static int run_nft(char *const *argv, const char *input, struct buf *out, struct buf *complaint,
		   int *status, struct error *err)
{
	int r = process_run(argv, input, NFT_OUTPUT_BYTES, out, complaint, status, err);

	if (r == -ERR_NOT_FOUND)
		error_hint(err, "install the package nftables, or use --network=host");
	return r;
}

/* Text of one chain with handles; empty when it is not there. */
static int list_chain(const char *family, const char *chain, struct buf *out, struct error *err)
{
	char nft[] = "nft", a[] = "-a", list[] = "list", what[] = "chain",
	     table[] = RULES_FOREIGN_TABLE;
	AUTO(free) char *name = mem_strdup(chain), *of = mem_strdup(family);
	char *argv[] = {nft, a, list, what, of, table, name, NULL};
	int status, r;

	r = run_nft(argv, NULL, out, NULL, &status, err);
	if (r == 0 && status != 0)
		buf_reset(out);
	return r;
}

int rules_run(const char *script, struct error *err)
{
	char nft[] = "nft", f[] = "-f", dash[] = "-";
	char *argv[] = {nft, f, dash, NULL};
	AUTO(buf) struct buf out = BUF_INIT, complaint = BUF_INIT;
	int status, r;

	r = run_nft(argv, script, &out, &complaint, &status, err);
	if (r < 0 || status == 0)
		return r;
	/* nft has no exit code for it, and with LANG=C.UTF-8 these are its words */
	if (strstr(buf_str(&complaint), strerror(EPERM)))
		return error_set(err, ERR_DENIED, "cannot load the rules: %s", strerror(EPERM));
	return error_set(err, ERR_FAILED, "nft refused the rules: %s", buf_str(&complaint));
}

/* One line of nft's listing at a time; the line ends at the newline. */
static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

static bool line_has(const char *line, const char *text)
{
	const char *at = strstr(line, text), *end = strchr(line, '\n');

	return at && (!end || at < end);
}

/* Is the line a rule that rules_load() put into a foreign chain? */
static bool is_ours(const char *line, const char *bridge)
{
	AUTO(free) char *in = mem_printf("iifname \"%s\"", bridge);
	AUTO(free) char *out = mem_printf("oifname \"%s\"", bridge);

	return (line_has(line, in) || line_has(line, out)) && line_has(line, "accept");
}

static unsigned count_ours(const struct buf *listing, const char *bridge)
{
	unsigned n = 0;

	for (const char *line = buf_str(listing); line && *line; line = next_line(line))
		n += is_ours(line, bridge);
	return n;
}

/* Does the chain let everything pass, so that there is nothing to add? */
static bool is_harmless(const struct buf *forward)
{
	const char *text = buf_str(forward);

	return !strstr(text, "policy drop") && !strstr(text, "jump") && !strstr(text, "drop") &&
	       !strstr(text, "reject") && !strstr(text, "goto");
}

static int add_foreign_rules(const char *family, const char *bridge, struct buf *script,
			     struct error *err)
{
	AUTO(buf) struct buf forward = BUF_INIT, user = BUF_INIT;
	const struct buf *listing = &forward;
	const char *chain = "FORWARD";
	int r = list_chain(family, chain, &forward, err);

	if (r < 0 || is_harmless(&forward))
		return r;
	if (strstr(buf_str(&forward), "jump DOCKER-USER")) {
		r = list_chain(family, "DOCKER-USER", &user, err);
		if (r < 0)
			return r;
		if (user.len) {
			listing = &user;
			chain = "DOCKER-USER";
		}
	}
	if (count_ours(listing, bridge) >= 2)
		return 0;
	/* written as iptables-nft writes them, so that it still understands its table */
	buf_printf(script, "insert rule %s filter %s iifname \"%s\" counter accept\n", family,
		   chain, bridge);
	buf_printf(script, "insert rule %s filter %s oifname \"%s\" counter accept\n", family,
		   chain, bridge);
	return 0;
}

/* The way out and back in. */
static void outer_chains(const struct network_bridge *b, enum network_family f,
			 const char *subnet, struct buf *script)
{
	const char *n = b->name, *family = rules_families[f];

	buf_addstr(script, "chain postrouting {\n"
			   "type nat hook postrouting priority 100; policy accept;\n");
	if (!b->no_masquerade)
		buf_printf(script, "%s saddr %s oifname != \"%s\" masquerade\n", family, subnet,
			   n);
	/* to a port that another container of this bridge has on the host: the
	 * answer must come back this way */
	buf_printf(script, "%s saddr %s oifname \"%s\" ct status dnat masquerade\n}\n", family,
		   subnet, n);
	buf_printf(script,
		   "chain forward {\n"
		   "type filter hook forward priority 0; policy accept;\n"
		   "iifname \"%s\" accept\n"
		   "oifname \"%s\" ct state established,related accept\n"
		   "oifname \"%s\" ct status dnat accept\n"
		   "oifname \"%s\" %s\n"
		   "}\n",
		   n, n, n, n, b->open[f] ? "accept" : "drop");
}

/* Nothing goes out but to the bridge itself, and nothing comes in. */
static void inner_chains(const char *n, struct buf *script)
{
	buf_printf(script,
		   "chain forward {\n"
		   "type filter hook forward priority 0; policy accept;\n"
		   "iifname \"%s\" oifname != \"%s\" drop\n"
		   "oifname \"%s\" iifname != \"%s\" drop\n"
		   "}\n",
		   n, n, n, n);
}

static void own_table(const struct network_bridge *b, enum network_family family,
		      struct buf *script)
{
	const struct network_pool *p = &b->pools[family];
	const struct network_ip first = network_ip_with_host(&p->gateway, p->prefix_len, 0);
	const char *n = b->name, *f = rules_families[family];
	char text[NETWORK_TEXT_BYTES];
	AUTO(free)
	char *subnet = mem_printf("%s/%u", network_ip_text(&first, text), p->prefix_len);

	/* adding before deleting makes the deletion right in both cases; one transaction */
	buf_printf(script, "add table %s %s\ndelete table %s %s\ntable %s %s {\n", f, n, f, n,
		   f, n);
	/* before connections are looked up: an answer to us still has the bridge's address */
	buf_printf(script,
		   "chain guard {\n"
		   "type filter hook prerouting priority -300; policy accept;\n"
		   "iifname \"%s\" %s drop\n"
		   "}\n",
		   n, family == NETWORK_IPV4 ? "ip daddr 127.0.0.0/8" : "ip6 daddr ::1");
	if (b->internal)
		inner_chains(n, script);
	else
		outer_chains(b, family, subnet, script);
	buf_addstr(script, "}\n");
}

int rules_load(const struct network_bridge *b, struct error *err)
{
	AUTO(buf) struct buf script = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < NETWORK_FAMILIES; i++) {
		if (!b->pools[i].gateway.len)
			continue;
		own_table(b, (enum network_family)i, &script);
		r = add_foreign_rules(rules_families[i], b->name, &script, err);
	}
	if (r == 0)
		r = rules_run(buf_str(&script), err);
	return r < 0 ? error_wrap(err, "network %s", b->name) : 0;
}

/* What deletes our rules from a chain of somebody else. */
static int remove_foreign(const char *family, const char *chain, const char *name,
			  struct buf *script, struct error *err)
{
	AUTO(buf) struct buf listing = BUF_INIT;
	int r = list_chain(family, chain, &listing, err);

	if (r < 0)
		return r;
	for (const char *line = buf_str(&listing); line && *line; line = next_line(line)) {
		const char *handle = strstr(line, "# handle ");

		if (is_ours(line, name) && handle && line_has(line, "# handle "))
			buf_printf(script, "delete rule %s filter %s handle %.*s\n", family,
				   chain, (int)strspn(handle + 9, "0123456789"), handle + 9);
	}
	return 0;
}

int rules_remove(const char *name, struct error *err)
{
	AUTO(buf) struct buf script = BUF_INIT;

	for (size_t i = 0; i < NETWORK_FAMILIES; i++) {
		const char *f = rules_families[i];

		buf_printf(&script, "add table %s %s\ndelete table %s %s\n", f, name, f, name);
		for (size_t k = 0; k < ARRAY_SIZE(rules_foreign_chains); k++) {
			int r = remove_foreign(f, rules_foreign_chains[k], name, &script, err);

			if (r < 0)
				return r;
		}
	}
	return rules_run(buf_str(&script), err);
}

static int enable(enum network_family family, struct error *err)
{
	const char *file = forwarding[family].file;
	AUTO(fd) int fd = open(file, O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd >= 0 && io_read_full(fd, &value, 1) == 1 && value == '1')
		return 0;
	close_fd(&fd);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write_full(fd, "1", 1) < 0) {
		const bool denied = errno == EACCES || errno == EPERM || errno == EROFS;

		error_sys(err, "cannot switch on %s", file);
		error_hint(err, "%s", forwarding[family].advice);
		if (err && denied)
			err->code = ERR_DENIED;
		return denied ? -ERR_DENIED : -ERR_SYSTEM;
	}
	return 0;
}

int rules_enable_forwarding(const struct network_bridge *b, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < NETWORK_FAMILIES; i++)
		if (b->pools[i].gateway.len)
			r = enable((enum network_family)i, err);
	return r;
}
