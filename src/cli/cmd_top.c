/* SPDX-License-Identifier: Apache-2.0 */
/* top: the lines of ps(1) that are about a container's processes; port: what is published. */
#include "cli/cli_command.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/process.h"

#include "base/banned.h"

#define PS_MAX	  (16u << 20)
#define MIN_WIDTH 20
#define PADDING	  3

struct top_table {
	struct strlist *rows; /* of cells */
	size_t n, columns;
};

/* As many words as there are titles; the last one takes the rest of the line. */
static void split_row(const char *line, size_t columns, struct strlist *out)
{
	for (size_t i = 0; i < columns && *line; i++) {
		size_t len;

		line += strspn(line, " ");
		len = i + 1 == columns ? strlen(line) : strcspn(line, " ");
		strlist_addn(out, line, len);
		line += len;
	}
}

static size_t count_words(const char *line)
{
	size_t n = 0;

	while (*(line += strspn(line, " "))) {
		n++;
		line += strcspn(line, " ");
	}
	return n;
}

static bool is_wanted(const struct strlist *row, size_t column, const struct pid_list *pids)
{
	if (column >= row->n)
		return false;
	for (size_t i = 0; i < pids->n; i++)
		if (strtol(row->items[column], NULL, 10) == pids->items[i])
			return true;
	return false;
}

static void print_rows(struct cli_invocation *inv, const struct top_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t c = 0; c < t->rows[i].n; c++) {
			size_t width = MIN_WIDTH;

			for (size_t k = 0; k < t->n; k++)
				if (c < t->rows[k].n &&
				    strlen(t->rows[k].items[c]) + PADDING > width)
					width = strlen(t->rows[k].items[c]) + PADDING;
			fprintf(inv->program->out, "%-*s",
				c + 1 == t->rows[i].n ? 0 : (int)width, t->rows[i].items[c]);
		}
		fputc('\n', inv->program->out);
	}
}

static int run_ps(const struct cli_invocation *inv, struct strlist *lines, struct error *err)
{
	AUTO(strlist) struct strlist argv = STRLIST_INIT;
	AUTO(buf) struct buf text = BUF_INIT, said = BUF_INIT;
	int status, r;

	strlist_add(&argv, "ps");
	for (int i = 1; i < inv->argc; i++)
		strlist_add(&argv, inv->argv[i]);
	if (inv->argc < 2)
		strlist_add(&argv, "-ef");
	r = process_run(argv.items, NULL, PS_MAX, &text, &said, &status, err);
	if (r < 0)
		return error_wrap(err, "cannot run ps");
	if (status)
		return error_set(err, ERR_FAILED, "ps: %s", buf_str(&said));
	strlist_split(lines, buf_str(&text), '\n');
	return 0;
}

static int show(struct cli_invocation *inv, const struct strlist *lines,
		const struct pid_list *pids, struct error *err)
{
	struct top_table t = {.columns = lines->n ? count_words(lines->items[0]) : 0};
	long column;

	t.rows = mem_zalloc((lines->n + 1) * sizeof(*t.rows));
	if (t.columns)
		split_row(lines->items[0], t.columns, &t.rows[t.n++]);
	column = strlist_find(&t.rows[0], "PID");
	for (size_t i = 1; column >= 0 && i < lines->n; i++) {
		split_row(lines->items[i], t.columns, &t.rows[t.n]);
		if (is_wanted(&t.rows[t.n], (size_t)column, pids))
			t.n++;
		else
			strlist_clear(&t.rows[t.n]);
	}
	if (column >= 0)
		print_rows(inv, &t);
	for (size_t i = 0; i < t.n; i++)
		strlist_clear(&t.rows[i]);
	free(t.rows);
	return column < 0 ? error_set(err, ERR_INVALID, "Couldn't find PID field in ps output")
			  : 0;
}

static int run_top(struct cli_invocation *inv)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	struct pid_list pids = {0};
	int r;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = engine_top(e, inv->argv[0], &pids, &err);
	if (r == 0)
		r = run_ps(inv, &lines, &err);
	if (r == 0)
		r = show(inv, &lines, &pids, &err);
	free(pids.items);
	return r < 0 ? cli_fail(inv, &err) : 0;
}

/* ---- port ---- */

static void print_bindings(struct cli_invocation *inv, const char *port, const json_t *list,
			   bool with_port)
{
	const json_t *b;
	size_t i;

	json_array_foreach (list, i, b) {
		const char *ip = json_string_value(json_object_get(b, "HostIp"));
		const char *host = json_string_value(json_object_get(b, "HostPort"));
		const bool v6 = ip && strchr(ip, ':');

		if (with_port)
			fprintf(inv->program->out, "%s -> ", port);
		fprintf(inv->program->out, "%s%s%s:%s\n", v6 ? "[" : "", ip ? ip : "",
			v6 ? "]" : "", host ? host : "");
	}
}

static int run_port(struct cli_invocation *inv)
{
	AUTO(store_container) struct store_container c = {0};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(json) json_t *document = NULL;
	json_t *ports, *list;
	const char *key;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_container(e, inv->argv[0], &c, &err) < 0)
		return cli_fail(inv, &err);
	document = engine_inspect_container(e, &c);
	ports = json_object_get(json_object_get(document, "NetworkSettings"), "Ports");
	if (inv->argc > 1) {
		AUTO(free)
		char *wanted = strchr(inv->argv[1], '/') ? mem_strdup(inv->argv[1])
							 : mem_printf("%s/tcp", inv->argv[1]);

		list = json_object_get(ports, wanted);
		if (json_array_size(list)) {
			print_bindings(inv, wanted, list, false);
			return 0;
		}
		fprintf(inv->program->err, "Error: No public port '%s' published for %s\n",
			inv->argv[1], inv->argv[0]);
		return CLI_EXIT_ERROR;
	}
	json_object_foreach (ports, key, list)
		print_bindings(inv, key, list, true);
	return 0;
}

const struct command cmd_top = {
	.path = "container top",
	.aliases = "top",
	.summary = "Display the running processes of a container",
	.usage = "CONTAINER [ps OPTIONS]",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = COMMAND_STOP,
	.run = run_top,
};

const struct command cmd_port = {
	.path = "container port",
	.aliases = "port",
	.summary = "List port mappings or a specific mapping for the container",
	.usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.min_args = 1,
	.max_args = 2,
	.run = run_port,
};
