/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_ports.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"

#include "base/banned.h"

struct port {
	unsigned inside, outside; /* @outside 0: not published */
	const char *protocol, *address;
};

struct port_list {
	struct port *items;
	size_t n;
	size_t cap;
};

static void add_port(const char *key, const json_t *binding, struct port_list *out)
{
	const char *number = json_string_value(json_object_get(binding, "HostPort"));
	const char *address = json_string_value(json_object_get(binding, "HostIp"));
	const char *slash = strchr(key, '/');

	*vec_push(out) =
		(struct port){.inside = (unsigned)strtoul(key, NULL, 10),
			      .outside = number ? (unsigned)strtoul(number, NULL, 10) : 0,
			      .protocol = slash ? slash + 1 : "tcp",
			      .address = address ? address : ""};
}

/* Docker's order: by the port inside, the address, the port outside, the protocol. */
static int compare(const void *a, const void *b)
{
	const struct port *x = a, *y = b;
	int r = (x->inside > y->inside) - (x->inside < y->inside);

	if (r == 0)
		r = strcmp(x->address, y->address);
	if (r == 0)
		r = (x->outside > y->outside) - (x->outside < y->outside);
	return r ? r : strcmp(x->protocol, y->protocol);
}

/* One number inside and outside: such ports are told as ranges. */
static bool is_plain(const struct port *p)
{
	return !p->outside || p->outside == p->inside;
}

static bool is_like(const struct port *a, const struct port *b)
{
	return is_plain(b) && !a->outside == !b->outside && str_eq(a->address, b->address) &&
	       str_eq(a->protocol, b->protocol);
}

static void put_range(unsigned first, unsigned last, struct buf *out)
{
	buf_printf(out, first == last ? "%u" : "%u-%u", first, last);
}

static void put_port(const struct port *p, unsigned more, struct buf *out)
{
	if (out->len)
		buf_addstr(out, ", ");
	if (p->outside) {
		/* an IPv6 address has colons of its own */
		const bool six = strchr(p->address, ':') != NULL;

		buf_printf(out, six ? "[%s]:" : "%s:", p->address);
		put_range(p->outside, p->outside + more, out);
		buf_addstr(out, "->");
	}
	put_range(p->inside, p->inside + more, out);
	buf_printf(out, "/%s", p->protocol);
}

/* The ranges that @first begins, one after another: what is like it, wherever it stands. */
static void put_ranges(const struct port_list *list, size_t first, bool *done, struct buf *out)
{
	const struct port *start = &list->items[first];
	unsigned more = 0;

	for (size_t i = first + 1; i < list->n; i++) {
		const struct port *p = &list->items[i];

		if (done[i] || !is_like(start, p))
			continue;
		done[i] = true;
		if (p->inside == start->inside + more + 1) {
			more++;
			continue;
		}
		put_port(start, more, out);
		start = p;
		more = 0;
	}
	put_port(start, more, out);
}

char *cli_ports_text(const json_t *document)
{
	const json_t *ports =
		json_object_get(json_object_get(document, "NetworkSettings"), "Ports");
	struct port_list list = {0};
	struct buf out = BUF_INIT, others = BUF_INIT;
	json_t *bindings, *binding;
	const char *key;
	bool *done;
	size_t k;

	json_object_foreach ((json_t *)(uintptr_t)ports, key, bindings) {
		if (!json_array_size(bindings))
			add_port(key, NULL, &list);
		json_array_foreach (bindings, k, binding)
			add_port(key, binding, &list);
	}
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare);
	done = mem_zalloc(list.n + 1);
	for (size_t i = 0; i < list.n; i++) {
		if (!is_plain(&list.items[i]))
			put_port(&list.items[i], 0, &others);
		else if (!done[i])
			put_ranges(&list, i, done, &out);
	}
	if (out.len && others.len)
		buf_addstr(&out, ", ");
	buf_add(&out, others.data, others.len);
	buf_clear(&others);
	free(done);
	free(list.items);
	return buf_steal(&out);
}
