/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_serve.h"

#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/process.h"
#include "base/strlist.h"
#include "network/network_entry.h"

#include "base/banned.h"

/* The words for the helper, and its sockets in @fds (room for all). */
static size_t describe(const struct network_endpoint *e, struct strlist *argv,
		       struct process_fd *fds)
{
	char text[NETWORK_TEXT_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < e->ports.n; i++) {
		const struct network_port *p = &e->ports.items[i];
		const struct network_attachment *through;
		const struct network_address *to = publish_target(e, p, &through);

		if (network_ip_family(&p->host_ip) != NETWORK_IPV6 || !to)
			continue;
		fds[n] = (struct process_fd){e->sockets[i], FORWARD_FIRST_FD + (int)n};
		n++;
		strlist_add(argv, network_protocol_name(p->protocol));
		strlist_add(argv, network_ip_text(&to->ip, text));
		strlist_printf(argv, "%u", p->port);
	}
	return n;
}

static int start(struct network_endpoint *e, const struct strlist *argv,
		 const struct process_fd *fds, size_t n, struct error *err)
{
	AUTO(buf) struct buf program = BUF_INIT;
	struct process_spec spec = {.argv = argv->items, .fds = fds, .nfds = n};
	int r = process_helper_path(FORWARD_HELPER, &program, err);

	if (r < 0)
		return r;
	spec.program = buf_str(&program);
	return process_start(&spec, &e->forwarder, NULL, err);
}

int forward_start(struct network_endpoint *e, struct error *err)
{
	AUTO(free) struct process_fd *fds = mem_zalloc((e->ports.n + 1) * sizeof(*fds));
	AUTO(strlist) struct strlist argv = STRLIST_INIT;
	AUTO(free) char *words = NULL;
	size_t n;
	int r;

	strlist_add(&argv, FORWARD_HELPER);
	n = describe(e, &argv, fds);
	words = strlist_join(&argv, " ");
	if (e->forwarder && str_eq(words, e->forwards))
		return 0;
	forward_stop(e);
	if (!n)
		return 0;
	if ((r = start(e, &argv, fds, n, err)) < 0)
		return error_wrap(err, "cannot forward the ports of IPv6");
	e->forwards = take_ptr(words);
	return 0;
}

void forward_stop(struct network_endpoint *e)
{
	if (e->forwarder) {
		kill(e->forwarder, SIGKILL);
		process_wait(e->forwarder);
	}
	e->forwarder = 0;
	free(take_ptr(e->forwards));
}
