/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: everything happens in a network name space of the test's own, so
 * that neither bridge nor rules of the machine are touched.  Needs root and nft(8).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/root.h"
#include "base/strlist.h"
#include "network/network.h"
#include "network/network_link.h"
#include "network/network_netlink.h"

#include "base/banned.h"

#define PORT 4711

#define POOL(a, b, c, d, len)                                             \
	{                                                                 \
		{                                                         \
			.gateway = {4, {a, b, c, d}}, .prefix_len = (len) \
		}                                                         \
	}

/* five hosts */
static const struct network_bridge bridge = {
	.name = "stvt0", .network = "test", .pools = POOL(10, 233, 0, 1, 29)};

static char state_path[] = "/tmp/stave-network-XXXXXX";
static int state_dir = -1;
static bool able;

static int set_up(void **state)
{
	(void)state;
	able = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
	       (access("/usr/sbin/nft", X_OK) == 0 || access("/sbin/nft", X_OK) == 0);
	if (!able)
		return 0;
	if (!mkdtemp(state_path))
		return -1;
	state_dir = open(state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return state_dir < 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (state_dir >= 0) {
		root_empty(state_dir, NULL);
		close(state_dir);
		rmdir(state_path);
	}
	return 0;
}

#define need_root()             \
	do {                    \
		if (!able)      \
			skip(); \
	} while (0)

static void attach(struct network_endpoint *e)
{
	AUTO(error) struct error err = ERROR_INIT;

	*e = NETWORK_ENDPOINT_INIT;
	if (network_attach(&bridge, NULL, state_dir, e, &err) < 0)
		fail_msg("%s", err.message);
}

/* In host byte order. */
static uint32_t number(const struct network_ip *ip)
{
	uint32_t v;

	assert_int_equal(ip->len, 4);
	memcpy(&v, ip->bytes, 4);
	return ntohl(v);
}

static uint32_t address(const struct network_endpoint *e)
{
	return number(&e->items[0].addresses[NETWORK_IPV4].ip);
}

static const struct network_pool *pool(const struct network_bridge *b)
{
	return &b->pools[NETWORK_IPV4];
}

static uint32_t gateway_of(const struct network_bridge *b)
{
	return number(&pool(b)->gateway);
}

/* What `nft` prints for @words (split at blanks). */
static void nft(const char *words, struct buf *out)
{
	AUTO(strlist) struct strlist argv = STRLIST_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	int status;

	strlist_add(&argv, "nft");
	strlist_split(&argv, words, ' ');
	assert_int_equal(process_run(argv.items, NULL, 1 << 20, out, NULL, &status, &err), 0);
	assert_int_equal(status, 0);
}

static unsigned count(const struct buf *b, const char *needle)
{
	unsigned n = 0;

	for (const char *at = buf_str(b); (at = strstr(at, needle)); at++)
		n++;
	return n;
}

static struct sockaddr_in address_of(uint32_t address)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(PORT),
				    .sin_addr.s_addr = htonl(address)};
}

/* A bound UDP socket in the name space @netns (-1: this one). */
static int listen_in(int netns, uint32_t address)
{
	const struct sockaddr_in a = address_of(address);
	const struct timeval patience = {.tv_sec = 5};
	AUTO(fd) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int s;

	if (netns >= 0)
		assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return s;
}

static bool reaches(int from, int to, uint32_t to_address)
{
	const struct sockaddr_in a = address_of(to_address);
	char got[8] = "";

	/* the first packets may be lost until the bridge's port is forwarding */
	for (int i = 0; i < 500; i++) {
		sendto(from, "hello", 5, 0, (const struct sockaddr *)&a, sizeof(a));
		if (recv(to, got, sizeof(got), MSG_DONTWAIT) == 5)
			return true;
		usleep(20000);
	}
	return false;
}

static void test_refusal_is_told_in_words(void **state)
{
	const struct ifinfomsg_like {
		uint8_t family, pad;
		uint16_t type;
		int32_t index;
		uint32_t flags, change;
	} none = {.index = 4242};
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	need_root();
	assert_int_equal(netlink_open(&n, 0, &err), 0);
	netlink_begin(&n, 17 /* RTM_DELLINK */, 0, &none, sizeof(none));
	assert_int_equal(netlink_commit(&n, "cannot remove", &err), -ERR_SYSTEM);
	assert_string_equal(err.message, "cannot remove: no such device");
	error_clear(&err);
	/* and the socket is usable afterwards */
	assert_int_equal(link_loopback_up(&n, &err), 0);
}

static void test_namespace_has_loopback(void **state)
{
	AUTO(fd) int ns = -1;

	(void)state;
	need_root();
	assert_int_equal(network_namespace_new(&ns, NULL), 0);

	AUTO(fd) int s = listen_in(ns, INADDR_LOOPBACK);

	assert_true(reaches(s, s, INADDR_LOOPBACK));
}

static void test_two_endpoints_meet(void **state)
{
	AUTO(network_endpoint) struct network_endpoint a = NETWORK_ENDPOINT_INIT;
	AUTO(network_endpoint) struct network_endpoint b = NETWORK_ENDPOINT_INIT;

	(void)state;
	need_root();
	attach(&a);
	attach(&b);
	assert_int_not_equal(address(&a), address(&b));
	assert_int_equal(number(&a.items[0].addresses[NETWORK_IPV4].gateway),
			 gateway_of(&bridge));

	AUTO(fd) int sa = listen_in(a.netns, address(&a));
	AUTO(fd) int sb = listen_in(b.netns, address(&b));
	AUTO(fd) int gateway = listen_in(-1, gateway_of(&bridge));

	assert_true(reaches(sa, sb, address(&b)));
	assert_true(reaches(sb, sa, address(&a)));
	assert_true(reaches(sa, gateway, gateway_of(&bridge)));
	assert_true(reaches(gateway, sb, address(&b)));
}

static void test_addresses_end_and_come_back(void **state)
{
	struct network_endpoint e[5], more = NETWORK_ENDPOINT_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	uint32_t freed;

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		attach(&e[i]);
	assert_int_equal(network_attach(&bridge, NULL, state_dir, &more, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.message, "all addresses are taken"));
	freed = address(&e[3]);
	network_endpoint_close(&e[3]);
	attach(&e[3]);
	assert_int_equal(address(&e[3]), freed);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		network_endpoint_close(&e[i]);
}

/* A process that holds all five addresses and says so. */
static pid_t start_holder(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			struct network_endpoint e = NETWORK_ENDPOINT_INIT;

			if (network_attach(&bridge, NULL, state_dir, &e, NULL) < 0)
				_exit(1);
		}
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_killed_holder_frees(void **state)
{
	AUTO(network_endpoint) struct network_endpoint e = NETWORK_ENDPOINT_INIT;
	pid_t pid;

	(void)state;
	need_root();
	pid = start_holder();
	assert_int_equal(network_attach(&bridge, NULL, state_dir, &e, NULL), -ERR_LIMIT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	attach(&e);
}

static void attach_and_close(void)
{
	AUTO(network_endpoint) struct network_endpoint e = NETWORK_ENDPOINT_INIT;

	attach(&e);
}

static void test_rules_come_back_after_a_flush(void **state)
{
	AUTO(buf) struct buf out = BUF_INIT;

	(void)state;
	need_root();
	attach_and_close();
	nft("flush ruleset", &out);
	attach_and_close();
	nft("list table ip stvt0", &out);
	assert_int_equal(count(&out, "masquerade"), 2); /* the way out, and back to itself */
	assert_non_null(strstr(buf_str(&out), "10.233.0.0/29"));
}

/* A table that is made again has another handle. */
static void test_other_rules_leave_ours_alone(void **state)
{
	AUTO(buf) struct buf before = BUF_INIT, after = BUF_INIT, out = BUF_INIT;

	(void)state;
	need_root();
	nft("flush ruleset", &out);
	nft("add table ip filter", &out);
	nft("add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; "
	    "}",
	    &out);
	attach_and_close();
	nft("-a list table ip stvt0", &before);
	nft("add table ip stvtother", &out);
	nft("add chain ip filter stvtother", &out);
	attach_and_close();
	attach_and_close();
	nft("-a list table ip stvt0", &after);
	assert_non_null(strstr(buf_str(&before), "# handle"));
	assert_string_equal(buf_str(&before), buf_str(&after));

	/* what is ours is looked at, rule by rule */
	nft("flush chain ip stvt0 forward", &out);
	attach_and_close();
	buf_reset(&out);
	nft("list chain ip stvt0 forward", &out);
	assert_int_equal(count(&out, "fname \"stvt0\""), 4);
	nft("flush chain ip filter FORWARD", &out);
	attach_and_close();
	buf_reset(&out);
	nft("list chain ip filter FORWARD", &out);
	assert_int_equal(count(&out, "fname \"stvt0\""), 2);
	nft("flush ruleset", &out);
}

static void test_strict_forward_chain_lets_us_through(void **state)
{
	AUTO(buf) struct buf out = BUF_INIT;

	(void)state;
	need_root();
	nft("add table ip filter", &out);
	nft("add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; "
	    "}",
	    &out);
	attach_and_close();
	attach_and_close();
	nft("list chain ip filter FORWARD", &out);
	assert_int_equal(count(&out, "fname \"stvt0\""), 2);
	/* Docker starts: now its chain for users is the place */
	nft("flush chain ip filter FORWARD", &out);
	nft("add chain ip filter DOCKER-USER", &out);
	nft("add rule ip filter FORWARD jump DOCKER-USER", &out);
	buf_reset(&out);
	attach_and_close();
	attach_and_close();
	nft("list ruleset", &out);
	assert_int_equal(count(&out, "fname \"stvt0\" counter"), 2);
	assert_int_equal(count(&out, "masquerade"), 2); /* the way out, and back to itself */
}

static void test_remove_leaves_nothing(void **state)
{
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf out = BUF_INIT;
	struct link l = {.index = -1};

	(void)state;
	need_root();
	attach_and_close();
	assert_int_equal(network_bridge_remove(&bridge, &err), 0);
	nft("list ruleset", &out);
	assert_int_equal(count(&out, "stvt0"), 0);
	assert_int_equal(netlink_open(&n, 0, &err), 0);
	assert_int_equal(link_find(&n, "stvt0", &l, &err), 0);
	assert_int_equal(l.index, 0);
}

static void test_mtu_is_that_of_the_bridge(void **state)
{
	struct network_bridge small = {
		.name = "stvt3", .pools = POOL(10, 233, 2, 1, 24), .mtu = 1280};
	AUTO(network_endpoint) struct network_endpoint e = NETWORK_ENDPOINT_INIT;
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	AUTO(fd) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	AUTO(error) struct error err = ERROR_INIT;
	struct link l;

	(void)state;
	need_root();
	assert_int_equal(network_attach(&small, NULL, state_dir, &e, &err), 0);
	network_endpoint_close(&e);
	small.mtu = 0; /* what is there counts */
	assert_int_equal(network_attach(&small, NULL, state_dir, &e, &err), 0);
	assert_int_equal(setns(e.netns, CLONE_NEWNET), 0);
	assert_int_equal(netlink_open(&n, 0, &err), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_int_equal(link_find(&n, "eth0", &l, &err), 0);
	assert_int_equal(l.mtu, 1280);
}

static void test_other_address_is_a_conflict(void **state)
{
	struct network_bridge other = {.name = "stvt1", .pools = POOL(10, 233, 1, 1, 24)};
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct network_endpoint e = NETWORK_ENDPOINT_INIT;
	struct link l;

	(void)state;
	need_root();
	assert_int_equal(netlink_open(&n, 0, &err), 0);
	assert_int_equal(link_make_bridge(&n, &other, &l, &err), 0);
	other.pools[NETWORK_IPV4].gateway.bytes[3]++;
	assert_int_equal(network_attach(&other, NULL, state_dir, &e, &err), -ERR_CONFLICT);
	assert_string_equal(err.message,
			    "interface stvt1 has the address 10.233.1.1/24 already");
	assert_int_equal(e.netns, -1);
}

static void test_default_bridge_avoids_what_is_there(void **state)
{
	const struct network_bridge taken = {.name = "stvt2", .pools = POOL(10, 89, 16, 1, 24)};
	AUTO(netlink) struct netlink n = NETLINK_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct network_bridge b;
	struct link l = {0};

	(void)state;
	need_root();
	network_default_bridge(&b);
	assert_string_equal(b.name, "stave0");
	assert_int_equal(gateway_of(&b), 0x0a590001);
	assert_int_equal(netlink_open(&n, 0, &err), 0);
	assert_int_equal(link_make_bridge(&n, &taken, &l, &err), 0);
	network_default_bridge(&b);
	assert_int_equal(gateway_of(&b), 0x0a5a0001);
	/* what is there is taken as it is */
	b.pools[NETWORK_IPV4].gateway = (struct network_ip){4, {10, 100, 0, 1}};
	b.pools[NETWORK_IPV4].prefix_len = 20;
	l = (struct link){0};
	assert_int_equal(link_make_bridge(&n, &b, &l, &err), 0);
	network_default_bridge(&b);
	assert_int_equal(gateway_of(&b), 0x0a640001);
	assert_int_equal(pool(&b)->prefix_len, 20);
}

static void test_hosts_text(void **state)
{
	char one[] = "db:10.0.0.7", six[] = "v6:2001:db8::1", gateway[] = "gw=host-gateway",
	     bad[] = "nothing", evil[] = "x:1.2.3.4\n6.6.6.6 y";
	char *const extra[] = {one, six, gateway, bad, evil, NULL};
	struct network_attachment a = {
		.addresses = {{.ip = {4, {10, 89, 0, 2}}, .gateway = {4, {10, 89, 0, 1}}},
			      {.ip = {16, {0xfd, [15] = 2}}}}};
	const struct network_endpoint e = {.items = &a, .n = 1};
	AUTO(buf) struct buf out = BUF_INIT;
	static const char lines[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::\tip6-localnet\n"
				    "ff00::\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";

	(void)state;
	network_hosts(NULL, "box", NULL, &out);
	assert_string_equal(buf_str(&out), lines);
	buf_reset(&out);
	network_hosts(&e, "box", extra, &out);
	assert_memory_equal(buf_str(&out), lines, sizeof(lines) - 1);
	assert_string_equal(buf_str(&out) + sizeof(lines) - 1, "10.0.0.7\tdb\n"
							       "2001:db8::1\tv6\n"
							       "10.89.0.1\tgw\n"
							       "10.89.0.2\tbox\n"
							       "fd00::2\tbox\n");
}

static void test_resolv_conf_text(void **state)
{
	char server[] = "9.9.9.9", search[] = "example.org", dot[] = ".", option[] = "ndots:2";
	char *const servers[] = {server, NULL}, *const domains[] = {search, NULL},
		    *const dots[] = {dot, NULL}, *const options[] = {option, NULL};
	const struct network_dns all = {servers, domains, options, false};
	const struct network_dns no_search = {servers, dots, options, false};
	AUTO(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(network_resolv_conf(false, &all, &out, NULL), 0);
	assert_string_equal(buf_str(&out),
			    "nameserver 9.9.9.9\nsearch example.org\noptions ndots:2\n");
	buf_reset(&out);
	assert_int_equal(network_resolv_conf(true, &no_search, &out, NULL), 0);
	assert_string_equal(buf_str(&out), "nameserver 9.9.9.9\noptions ndots:2\n");
	buf_reset(&out);
	assert_int_equal(network_resolv_conf(false, NULL, &out, NULL), 0);
	assert_int_equal(count(&out, "nameserver 127."), 0);
	assert_true(count(&out, "nameserver ") >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_text),
		cmocka_unit_test(test_resolv_conf_text),
		cmocka_unit_test(test_refusal_is_told_in_words),
		cmocka_unit_test(test_namespace_has_loopback),
		cmocka_unit_test(test_default_bridge_avoids_what_is_there),
		cmocka_unit_test(test_other_address_is_a_conflict),
		cmocka_unit_test(test_mtu_is_that_of_the_bridge),
		cmocka_unit_test(test_two_endpoints_meet),
		cmocka_unit_test(test_addresses_end_and_come_back),
		cmocka_unit_test(test_killed_holder_frees),
		cmocka_unit_test(test_rules_come_back_after_a_flush),
		cmocka_unit_test(test_other_rules_leave_ours_alone),
		cmocka_unit_test(test_strict_forward_chain_lets_us_through),
		cmocka_unit_test(test_remove_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
