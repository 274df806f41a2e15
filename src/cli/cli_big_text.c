/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of an image's bytes for a terminal, and as a page. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_big.h"
#include "cli/cli_table.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

#define DEFAULT_DEPTH 3u /* with --top alone */
#define LARGEST	      5u /* wasted files that are named */

struct all {
	struct big_node **items;
	size_t n, cap;
};

static void collect(struct big_node *n, uint64_t depth, struct all *out)
{
	for (size_t i = 0; depth && i < n->n; i++) {
		struct big_node *child = n->items[i];

		child->order = out->n;
		*vec_push(out) = child;
		collect(child, depth - 1, out);
	}
}

/* A parent is not smaller than its child and comes first: it is shown whenever that is. */
static int largest_first(const void *a, const void *b)
{
	const struct big_node *x = *(struct big_node *const *)a;
	const struct big_node *y = *(struct big_node *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void show_what_fits(struct big_node *tree, const struct big_view *v)
{
	struct all all = {0};

	collect(tree, v->depth ? v->depth : UINT64_MAX, &all);
	if (all.n)
		qsort(all.items, all.n, sizeof(*all.items), largest_first);
	for (size_t i = 0; i < all.n && i < v->rows; i++)
		all.items[i]->shown = all.items[i]->bytes > 0;
	free(all.items);
}

static void show_top(struct big_node *n, uint64_t depth, uint64_t top)
{
	for (size_t i = 0; depth && i < n->n && i < top; i++) {
		n->items[i]->shown = true;
		show_top(n->items[i], depth - 1, top);
	}
}

/* What an image says reaches no terminal as a command. */
static void add_plain(struct buf *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

		buf_addch(out, *c < 0x20 || *c == 0x7f || c1 ? '?' : (char)*c);
		c += c1;
	}
}

static void add_line(struct buf *out, const struct big_view *v, const char *line)
{
	AUTO(free) char *cut = v->columns ? cli_truncate(line, v->columns) : mem_strdup(line);

	buf_printf(out, "%s\n", cut);
}

/* "  1.96MB  95.1%  " */
static void add_numbers(struct buf *line, uint64_t bytes, uint64_t of)
{
	AUTO(buf) struct buf size = BUF_INIT;

	format_size(bytes, &size);
	buf_printf(line, "%8s %5.1f%%  ", buf_str(&size),
		   of ? 100.0 * (double)bytes / (double)of : 0.0);
}

struct printing {
	const struct big_view *view;
	struct buf *out;
	uint64_t total;
};

static void add_waste(struct buf *line, const struct big_node *n)
{
	AUTO(buf) struct buf size = BUF_INIT;

	if (!n->wasted)
		return;
	format_size(n->wasted, &size);
	if (n->why) {
		buf_addstr(line, " [");
		add_plain(line, n->why);
		buf_addch(line, ']');
	} else {
		buf_printf(line, " [%s wasted]", buf_str(&size));
	}
}

static void print_row(const struct printing *p, const char *prefix, const char *branch,
		      const struct big_node *n)
{
	AUTO(buf) struct buf line = BUF_INIT;

	add_numbers(&line, n->bytes, p->total);
	buf_printf(&line, "%s%s", prefix, branch);
	add_plain(&line, n->name);
	add_waste(&line, n);
	add_line(p->out, p->view, buf_str(&line));
}

static void print_rest(const struct printing *p, const char *prefix, const char *branch,
		       size_t count, uint64_t bytes)
{
	AUTO(buf) struct buf line = BUF_INIT;

	add_numbers(&line, bytes, p->total);
	buf_printf(&line, "%s%s… %zu more", prefix, branch, count);
	add_line(p->out, p->view, buf_str(&line));
}

static void print_below(const struct printing *p, const struct big_node *n, const char *prefix,
			bool top)
{
	size_t shown = 0, done = 0;
	uint64_t bytes = 0;

	for (size_t i = 0; i < n->n; i++) {
		shown += n->items[i]->shown;
		bytes += n->items[i]->shown ? 0 : n->items[i]->bytes;
	}
	for (size_t i = 0; shown && i < n->n; i++) {
		bool last = n->items[i]->shown && ++done == shown && !bytes;
		AUTO(free)
		char *deeper = mem_printf("%s%s", prefix, top ? "" : last ? "    " : "│   ");

		if (!n->items[i]->shown)
			continue;
		print_row(p, prefix, top ? "" : last ? "└── " : "├── ", n->items[i]);
		print_below(p, n->items[i], deeper, false);
	}
	if (shown && bytes)
		print_rest(p, prefix, top ? "" : "└── ", n->n - shown, bytes);
}

/* ---- what is wasted ---- */

static const char *const waste_words[] = {
	[IMAGE_SHADOWED] = "replaced by a later layer",
	[IMAGE_DELETED] = "deleted by a later layer",
	[IMAGE_DUPLICATED] = "the same content once more",
};

static int largest_file(const void *a, const void *b)
{
	const struct image_big_file *x = *(const struct image_big_file *const *)a;
	const struct image_big_file *y = *(const struct image_big_file *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void print_largest(const struct printing *p, const struct image_big *b)
{
	AUTO(free)
	const struct image_big_file **all = mem_zalloc((b->files.n + 1) * sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < b->files.n; i++)
		if (b->files.items[i].waste && b->files.items[i].bytes)
			all[n++] = &b->files.items[i];
	qsort(all, n, sizeof(*all), largest_file);
	for (size_t i = 0; i < n && i < LARGEST; i++) {
		AUTO(free) char *name = mem_printf("/%s", all[i]->path);
		struct big_node row = {.name = name,
				       .bytes = all[i]->bytes,
				       .wasted = all[i]->bytes,
				       .why = big_waste(b, all[i])};

		print_row(p, "", "  ", &row);
		free(row.why);
	}
}

static void print_wasted(const struct printing *p, const struct image_big *b, uint64_t wasted)
{
	AUTO(buf) struct buf line = BUF_INIT;

	buf_addch(p->out, '\n');
	add_numbers(&line, wasted, b->bytes);
	buf_addstr(&line, "wasted");
	add_line(p->out, p->view, buf_str(&line));
	for (int i = IMAGE_SHADOWED; i < IMAGE_WASTES; i++) {
		if (!b->wasted[i])
			continue;
		buf_reset(&line);
		add_numbers(&line, b->wasted[i], b->bytes);
		buf_addstr(&line, waste_words[i]);
		add_line(p->out, p->view, buf_str(&line));
	}
	print_largest(p, b);
}

void big_text(const struct image_big *b, struct big_node *tree, const struct big_view *v,
	      struct buf *out)
{
	struct printing p = {.view = v, .out = out, .total = b->bytes};
	uint64_t wasted = b->bytes - b->wasted[IMAGE_USED];
	AUTO(buf) struct buf line = BUF_INIT;

	if (v->top)
		show_top(tree, v->depth ? v->depth : DEFAULT_DEPTH, v->top);
	else
		show_what_fits(tree, v);
	add_numbers(&line, b->bytes, b->bytes);
	add_plain(&line, tree->name);
	buf_printf(&line, ", %zu layer%s, %zu file%s", b->layers.n, b->layers.n == 1 ? "" : "s",
		   b->files.n, b->files.n == 1 ? "" : "s");
	add_line(out, v, buf_str(&line));
	print_below(&p, tree, "", true);
	if (wasted)
		print_wasted(&p, b, wasted);
}
