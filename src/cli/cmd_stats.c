/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"
#include "cli/cli_table.h"

#include <stdlib.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

struct stats_options {
	bool all, no_stream, no_trunc;
	char *format;
};

static const struct option_def options[] = {
	OPTION('a', "all", BOOL, stats_options, all,
	       "Show all containers (default shows just running)"),
	OPTION(0, "format", STRING, stats_options, format, cli_help_list_format),
	OPTION(0, "no-stream", BOOL, stats_options, no_stream,
	       "Disable streaming stats and only pull the first result"),
	OPTION(0, "no-trunc", BOOL, stats_options, no_trunc, "Do not truncate output"),
};

static const struct cli_column columns[] = {
	{"Container", "CONTAINER"},
	{"ID", "CONTAINER ID"},
	{"Name", "NAME"},
	{"CPUPerc", "CPU %"},
	{"MemUsage", "MEM USAGE / LIMIT"},
	{"MemPerc", "MEM %"},
	{"NetIO", "NET I/O"},
	{"BlockIO", "BLOCK I/O"},
	{"PIDs", "PIDS"},
};

static const struct cli_table_def table = {
	.type = "*container.statsContext",
	.fallback = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
		    "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
	.quiet = "{{.ID}}",
	.columns = columns,
	.ncolumns = ARRAY_SIZE(columns),
};

/* What was measured one period ago: the share of a CPU is a difference. */
struct sample {
	char *id;
	struct engine_usage_now now;
};

struct sample_list {
	struct sample *items;
	size_t n, cap;
};

static void clear_samples(struct sample_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].id);
	free(l->items);
	*l = (struct sample_list){0};
}

/* "1.5MiB" */
static char *binary_size(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	return mem_printf("%.4g%s", value, units[unit]);
}

static char *two_sizes(uint64_t a, uint64_t b)
{
	AUTO(buf) struct buf x = BUF_INIT, y = BUF_INIT;

	format_size(a, &x);
	format_size(b, &y);
	return mem_printf("%s / %s", buf_str(&x), buf_str(&y));
}

static double cpu_share(const struct sample_list *before, const char *id,
			const struct engine_usage_now *now)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct engine_usage_now *then = &before->items[i].now;

		if (str_eq(before->items[i].id, id) && now->at_ns > then->at_ns &&
		    now->usage.cpu_ns > then->usage.cpu_ns)
			return 100.0 * (double)(now->usage.cpu_ns - then->usage.cpu_ns) /
			       (double)(now->at_ns - then->at_ns);
	}
	return 0;
}

static json_t *row_of(const struct store_container *c, const struct engine_usage_now *now,
		      double cpu, const char *called, bool no_trunc)
{
	const struct sandbox_usage *u = &now->usage;
	struct sysinfo memory;
	uint64_t limit = u->memory_limit;

	sysinfo(&memory);
	if (!limit && u->pids)
		limit = (uint64_t)memory.totalram * memory.mem_unit;
	AUTO(free) char *id = no_trunc ? mem_strdup(c->id) : cli_short_id(c->id);
	AUTO(free) char *used = binary_size(u->memory);
	AUTO(free) char *most = binary_size(limit);
	AUTO(free) char *mem = mem_printf("%s / %s", used, most);
	AUTO(free) char *share = mem_printf("%.2f%%", cpu);
	AUTO(free)
	char *part =
		mem_printf("%.2f%%", limit ? 100.0 * (double)u->memory / (double)limit : 0.0);
	AUTO(free) char *net = two_sizes(u->rx_bytes, u->tx_bytes);
	AUTO(free) char *block = two_sizes(u->read_bytes, u->written_bytes);
	AUTO(free) char *pids = mem_printf("%u", u->pids);
	json_t *row = json_object();

	cli_row_string(row, "BlockIO", block);
	cli_row_string(row, "CPUPerc", share);
	cli_row_string(row, "Container", called ? called : id);
	cli_row_string(row, "ID", id);
	cli_row_string(row, "MemPerc", part);
	cli_row_string(row, "MemUsage", mem);
	cli_row_string(row, "Name", c->name);
	cli_row_string(row, "NetIO", net);
	cli_row_string(row, "PIDs", pids);
	return row;
}

static bool is_up(const struct store_container *c)
{
	return str_eq(c->state, "running") || str_eq(c->state, "paused");
}

static int choose(struct cli_invocation *inv, struct engine *e,
		  struct store_container_list *out, struct error *err)
{
	const struct stats_options *o = inv->options;
	AUTO(store_container_list) struct store_container_list all = {0};
	int r = 0;

	for (int i = 0; r == 0 && i < inv->argc; i++)
		r = engine_container(e, inv->argv[i], vec_push(out), err);
	if (inv->argc || r < 0)
		return r;
	r = engine_containers(e, &all, err);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		if (!o->all && !is_up(&all.items[i]))
			continue;
		*vec_push(out) = all.items[i];
		all.items[i] = (struct store_container){0};
	}
	return r;
}

/* One look at all of them; prints unless it is the first, which has nothing to compare with. */
static int look(struct cli_invocation *inv, struct engine *e, struct sample_list *samples,
		bool print, struct error *err)
{
	const struct stats_options *o = inv->options;
	AUTO(store_container_list) struct store_container_list list = {0};
	AUTO(cli_table) struct cli_table *t = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	struct sample_list fresh = {0};
	int r = cli_table_new(&table, o->format, false, &t, err);

	if (r == 0)
		r = choose(inv, e, &list, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct sample *s = vec_push(&fresh);
		const struct store_container *c = &list.items[i];

		s->id = mem_strdup(c->id);
		engine_measure(e, c, &s->now);
		r = cli_table_add(t,
				  row_of(c, &s->now, cpu_share(samples, c->id, &s->now),
					 inv->argc ? inv->argv[i] : NULL, o->no_trunc),
				  err);
	}
	clear_samples(samples);
	*samples = fresh;
	if (r < 0 || !print)
		return r;
	if (!o->no_stream)
		buf_addstr(&text, "\033[H\033[2J");
	cli_table_text(t, &text);
	cli_print(inv, &text);
	return fflush(inv->program->out) < 0 ? error_sys(err, "cannot write") : 0;
}

static int run(struct cli_invocation *inv)
{
	const struct stats_options *o = inv->options;
	const struct timespec period = {.tv_sec = 1};
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	struct sample_list samples = {0};
	int r;

	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	r = look(inv, e, &samples, false, &err);
	while (r == 0) {
		nanosleep(&period, NULL);
		r = look(inv, e, &samples, true, &err);
		if (o->no_stream)
			break;
	}
	clear_samples(&samples);
	return r < 0 ? cli_fail(inv, &err) : 0;
}

const struct command cmd_stats = {
	.path = "container stats",
	.aliases = "stats",
	.summary = "Display a live stream of container(s) resource usage statistics",
	.usage = "[OPTIONS] [CONTAINER...]",
	COMMAND_OPTIONS(options, stats_options),
	.max_args = ARGS_ANY,
	.run = run,
};
