/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each instruction does to the image's config, and the history row that
 * tells of it.  The rows read as BuildKit writes them, so that tools which
 * look into histories understand ours.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "build/check.h"
#include "build/lower.h"

#include "base/banned.h"

void imgconfig_row(struct stage_state *st, char *created_by, struct vertex *v)
{
	if (st->n_rows == st->cap_rows) {
		st->cap_rows = st->cap_rows ? st->cap_rows * 2 : 16;
		st->rows = mem_resize(st->rows, st->cap_rows, sizeof(*st->rows));
	}
	st->rows[st->n_rows++] = (struct made_row){.created_by = created_by, .vertex = v};
}

void imgconfig_shell(const struct stage_state *st, struct strlist *out)
{
	if (st->config.shell.n) {
		strlist_addall(out, &st->config.shell);
		return;
	}
	strlist_add(out, "/bin/sh");
	strlist_add(out, "-c");
}

char *imgconfig_path(const struct stage_state *st, const char *path)
{
	const char *dir = st->config.working_dir ? st->config.working_dir : "/";
	AUTO(free)
	char *joined = *path == '/' ? mem_strdup(path) : mem_printf("%s/%s", dir, path);
	AUTO(free) char *clean = root_clean_path(joined);
	size_t n = strlen(path);
	/* "dir/", "." and "dir/." all mean: inside that directory */
	bool inside = n == 0 || path[n - 1] == '/' || str_eq(path, ".") || str_ends(path, "/.");

	if (!*clean)
		return mem_strdup("/");
	return mem_printf("/%s%s", clean, inside ? "/" : "");
}

static void set_string(char **to, char *value)
{
	free(*to);
	*to = value;
}

/* ["a" "b"], as Go prints a list of quoted strings. */
static void quoted_list(const struct strlist *l, struct buf *out)
{
	buf_addch(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_addch(out, ' ');
		json_quote(l->items[i], false, out);
	}
	buf_addch(out, ']');
}

static char *plain_list(const char *word, const struct strlist *l)
{
	AUTO(free) char *joined = strlist_join(l, " ");

	return mem_printf("%s [%s]", word, joined);
}

/* The command of RUN, CMD, ENTRYPOINT, HEALTHCHECK as the list that is executed. */
static void command_of(const struct stage_state *st, const struct instruction *i,
		       struct strlist *out)
{
	if (i->form == FORM_SHELL)
		imgconfig_shell(st, out);
	for (size_t n = 0; n < i->n_args; n++)
		strlist_add(out, i->args[n]);
	if (i->form == FORM_SHELL && !i->n_args)
		strlist_add(out, "");
}

static void apply_cmd(struct stage_state *st, const struct instruction *i)
{
	struct image_config *c = &st->config;
	struct buf row = BUF_INIT;

	strlist_clear(&c->cmd);
	command_of(st, i, &c->cmd);
	c->has_cmd = true;
	c->args_escaped = true;
	st->cmd_set = true;
	buf_addstr(&row, "CMD ");
	quoted_list(&c->cmd, &row);
	imgconfig_row(st, buf_steal(&row), NULL);
}

static void apply_entrypoint(struct stage_state *st, const struct instruction *i)
{
	struct image_config *c = &st->config;
	struct buf row = BUF_INIT;

	strlist_clear(&c->entrypoint);
	command_of(st, i, &c->entrypoint);
	c->has_entrypoint = true;
	/* an inherited CMD was meant for the inherited entry point */
	if (!st->cmd_set) {
		strlist_clear(&c->cmd);
		c->has_cmd = false;
	}
	buf_addstr(&row, "ENTRYPOINT ");
	quoted_list(&c->entrypoint, &row);
	imgconfig_row(st, buf_steal(&row), NULL);
}

static int expand_pair(struct graph *g, const struct stage_state *st,
		       const struct instruction *i, size_t p, char **out_key, char **out_value,
		       struct error *err)
{
	int r = scope_expand_new(g, st, i, i->pairs[p].key, out_key, err);

	return r < 0 ? r : scope_expand_new(g, st, i, i->pairs[p].value, out_value, err);
}

static int apply_env(struct graph *g, struct stage_state *st, const struct instruction *i,
		     struct error *err)
{
	AUTO(strlist) struct strlist set = STRLIST_INIT;
	AUTO(buf) struct buf row = BUF_INIT;

	buf_addstr(&row, "ENV");
	for (size_t p = 0; p < i->n_pairs; p++) {
		AUTO(free) char *key = NULL;
		AUTO(free) char *value = NULL;
		int r = expand_pair(g, st, i, p, &key, &value, err);

		if (r < 0)
			return r;
		if (!*key)
			return error_set(err, ERR_INVALID, "ENV names can not be blank");
		strlist_printf(&set, "%s=%s", key, value);
		buf_printf(&row, " %s=%s", key, value);
	}
	for (size_t n = 0; n < set.n; n++) {
		char *eq = strchr(set.items[n], '=');

		*eq = 0;
		strlist_env_set(&st->config.env, set.items[n], eq + 1);
		strlist_env_unset(&st->args, set.items[n]);
	}
	imgconfig_row(st, buf_steal(&row), NULL);
	return 0;
}

static int apply_label(struct graph *g, struct stage_state *st, const struct instruction *i,
		       struct error *err)
{
	AUTO(buf) struct buf row = BUF_INIT;

	buf_addstr(&row, "LABEL");
	for (size_t p = 0; p < i->n_pairs; p++) {
		AUTO(free) char *key = NULL;
		AUTO(free) char *value = NULL;
		int r = expand_pair(g, st, i, p, &key, &value, err);

		if (r < 0)
			return r;
		image_config_label(&st->config, key, value);
		buf_printf(&row, " %s=%s", key, value);
	}
	imgconfig_row(st, buf_steal(&row), NULL);
	return 0;
}

static int apply_expose(struct graph *g, struct stage_state *st, const struct instruction *i,
			struct error *err)
{
	AUTO(strlist) struct strlist ports = STRLIST_INIT;

	for (size_t n = 0; n < i->n_args; n++) {
		AUTO(buf) struct buf words = BUF_INIT;
		AUTO(strlist) struct strlist split = STRLIST_INIT;
		int r = scope_expand(g, st, i, i->args[n], EXPAND_WORD, &words, err);

		if (r < 0)
			return r;
		strlist_split(&split, buf_str(&words), ' ');
		for (size_t w = 0; w < split.n; w++) {
			check_port(g, i, split.items[w]);
			if (*split.items[w] && (r = ports_add(&ports, split.items[w], err)) < 0)
				return r;
		}
	}
	strlist_sort(&ports);
	for (size_t n = 0; n < ports.n; n++)
		image_config_add_set(&st->config.exposed_ports, ports.items[n]);
	imgconfig_row(st, plain_list("EXPOSE", &ports), NULL);
	return 0;
}

static int apply_volume(struct graph *g, struct stage_state *st, const struct instruction *i,
			struct error *err)
{
	AUTO(strlist) struct strlist all = STRLIST_INIT;

	for (size_t n = 0; n < i->n_args; n++) {
		char *value = NULL;
		int r = scope_expand_new(g, st, i, i->args[n], &value, err);

		if (r < 0)
			return r;
		strlist_take(&all, value);
		if (!*value)
			return error_set(err, ERR_INVALID,
					 "VOLUME specified can not be an empty string");
		image_config_add_set(&st->config.volumes, value);
	}
	imgconfig_row(st, plain_list("VOLUME", &all), NULL);
	return 0;
}

static bool known_signal(const char *name)
{
	static const char *const names[] = {
		"HUP",	 "INT",	 "QUIT", "ILL",	 "TRAP", "ABRT", "BUS",	   "FPE",    "KILL",
		"USR1",	 "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD",   "CONT",
		"STOP",	 "TSTP", "TTIN", "TTOU", "URG",	 "XCPU", "XFSZ",   "VTALRM", "PROF",
		"WINCH", "IO",	 "POLL", "PWR",	 "SYS",	 "CLD",	 "IOT",	   "RTMIN",  "RTMAX"};
	AUTO(free) char *upper = str_upper(name);
	const char *bare = str_starts(upper, "SIG") ? upper + 3 : upper;
	uint64_t number;
	int64_t any;

	/* as Docker: any number, as it may be one of another kind of machine */
	if (parse_i64(name, &any))
		return any != 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(bare, names[i]))
			return true;
	if (str_starts(bare, "RTMIN+"))
		return parse_u64(bare + 6, 15, &number);
	return str_starts(bare, "RTMAX-") && parse_u64(bare + 6, 14, &number);
}

static int apply_stopsignal(struct graph *g, struct stage_state *st,
			    const struct instruction *i, struct error *err)
{
	char *value = NULL;
	int r = scope_expand_new(g, st, i, i->args[0], &value, err);

	if (r < 0)
		return r;
	set_string(&st->config.stop_signal, value);
	if (!known_signal(value))
		return error_set(err, ERR_INVALID, "invalid signal: %s", value);
	imgconfig_row(st, mem_printf("STOPSIGNAL %s", value), NULL);
	return 0;
}

static void apply_shell(struct stage_state *st, const struct instruction *i)
{
	strlist_clear(&st->config.shell);
	for (size_t n = 0; n < i->n_args; n++)
		strlist_add(&st->config.shell, i->args[n]);
	imgconfig_row(st, plain_list("SHELL", &st->config.shell), NULL);
}

static void healthcheck_row(struct stage_state *st, const struct image_healthcheck *h)
{
	struct buf row = BUF_INIT;
	const int64_t times[] = {h->interval, h->timeout, h->start_period, h->start_interval};

	buf_addstr(&row, "HEALTHCHECK &{");
	quoted_list(&h->test, &row);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		buf_addstr(&row, " \"");
		format_duration(times[i], &row);
		buf_addch(&row, '"');
	}
	buf_printf(&row, " '\\x%02llx'}", (unsigned long long)h->retries);
	imgconfig_row(st, buf_steal(&row), NULL);
}

static void apply_healthcheck(struct stage_state *st, const struct instruction *i)
{
	struct image_healthcheck *h = &st->config.healthcheck;

	strlist_clear(&h->test);
	*h = (struct image_healthcheck){.present = true};
	if (i->health->none) {
		strlist_add(&h->test, "NONE");
	} else {
		strlist_add(&h->test, i->form == FORM_SHELL ? "CMD-SHELL" : "CMD");
		for (size_t n = 0; n < i->n_args; n++)
			strlist_add(&h->test, i->args[n]);
		h->interval = i->health->interval_ns;
		h->timeout = i->health->timeout_ns;
		h->start_period = i->health->start_period_ns;
		h->start_interval = i->health->start_interval_ns;
		h->retries = (int64_t)i->health->retries;
	}
	healthcheck_row(st, h);
}

static int apply_user(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct error *err)
{
	char *value = NULL;
	int r = scope_expand_new(g, st, i, i->args[0], &value, err);

	if (r < 0)
		return r;
	set_string(&st->config.user, value);
	imgconfig_row(st, mem_printf("USER %s", value), NULL);
	return 0;
}

int imgconfig_apply(struct graph *g, struct stage_state *st, const struct instruction *i,
		    struct error *err)
{
	switch ((int)i->kind) {
	case INSTRUCTION_ENV:
		return apply_env(g, st, i, err);
	case INSTRUCTION_LABEL:
		return apply_label(g, st, i, err);
	case INSTRUCTION_EXPOSE:
		return apply_expose(g, st, i, err);
	case INSTRUCTION_VOLUME:
		return apply_volume(g, st, i, err);
	case INSTRUCTION_STOPSIGNAL:
		return apply_stopsignal(g, st, i, err);
	case INSTRUCTION_USER:
		return apply_user(g, st, i, err);
	case INSTRUCTION_CMD:
		apply_cmd(st, i);
		return 0;
	case INSTRUCTION_ENTRYPOINT:
		apply_entrypoint(st, i);
		return 0;
	case INSTRUCTION_SHELL:
		apply_shell(st, i);
		return 0;
	case INSTRUCTION_HEALTHCHECK:
		apply_healthcheck(st, i);
		return 0;
	case INSTRUCTION_ONBUILD:
		strlist_add(&st->config.on_build, i->trigger);
		return 0;
	case INSTRUCTION_MAINTAINER:
		set_string(&st->config.author, mem_strdup(i->args[0]));
		imgconfig_row(st, mem_printf("MAINTAINER %s", i->args[0]), NULL);
		return 0;
	default:
		return error_set(err, ERR_UNSUPPORTED, "%s is not known here",
				 instruction_name(i->kind));
	}
}
