/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print - the tree as text: one list a line, indented by depth, strings
 * quoted as in JSON.  What is absent or a default is left out.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/json.h"

#include "base/banned.h"

static void put_string(struct buf *out, const char *s)
{
	buf_addch(out, ' ');
	json_quote(s, false, out);
}

static void put_field(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, " (%s", name);
	put_string(out, value);
	buf_addch(out, ')');
}

static void put_flags(const struct instruction *i, struct buf *out)
{
	for (size_t k = 0; k < i->n_flags; k++) {
		buf_printf(out, " --%s", i->flags[k].name);
		put_string(out, i->flags[k].value);
	}
}

static void put_pairs(const struct instruction *i, struct buf *out)
{
	for (size_t k = 0; k < i->n_pairs; k++) {
		buf_addstr(out, " (");
		json_quote(i->pairs[k].key, false, out);
		if (i->pairs[k].value)
			put_string(out, i->pairs[k].value);
		buf_addch(out, ')');
	}
}

static void put_health(const struct healthcheck *h, struct buf *out)
{
	if (h->none)
		buf_addstr(out, " none");
	if (h->interval_ns)
		buf_printf(out, " (interval %lld)", (long long)h->interval_ns);
	if (h->timeout_ns)
		buf_printf(out, " (timeout %lld)", (long long)h->timeout_ns);
	if (h->start_period_ns)
		buf_printf(out, " (start-period %lld)", (long long)h->start_period_ns);
	if (h->start_interval_ns)
		buf_printf(out, " (start-interval %lld)", (long long)h->start_interval_ns);
	if (h->retries)
		buf_printf(out, " (retries %llu)", (unsigned long long)h->retries);
}

static void put_instruction(const struct instruction *i, int depth, struct buf *out)
{
	buf_printf(out, "%*s(%s %u", depth, "", instruction_name(i->kind), i->line);
	if (i->end_line != i->line)
		buf_printf(out, "-%u", i->end_line);
	put_flags(i, out);
	if (i->health)
		put_health(i->health, out);
	if (i->form == FORM_SHELL)
		buf_addstr(out, " shell");
	else if (i->form == FORM_EXEC)
		buf_addstr(out, " exec");
	for (size_t k = 0; k < i->n_args; k++)
		put_string(out, i->args[k]);
	put_pairs(i, out);
	put_field(out, "trigger", i->trigger);
	buf_printf(out, "\n%*s(text", depth + 2, "");
	put_string(out, i->text);
	buf_addch(out, ')');
	for (size_t k = 0; k < i->n_heredocs; k++) {
		const struct heredoc *h = &i->heredocs[k];

		buf_printf(out, "\n%*s(heredoc", depth + 2, "");
		put_string(out, h->word);
		put_string(out, h->name);
		buf_printf(out, "%s%s", h->expand ? " expand" : "", h->chomp ? " chomp" : "");
		put_string(out, h->content);
		buf_addch(out, ')');
	}
	if (i->onbuild) {
		buf_addch(out, '\n');
		put_instruction(i->onbuild, depth + 2, out);
	}
	buf_addch(out, ')');
}

static void put_list(const struct instruction_list *l, int depth, struct buf *out)
{
	for (size_t k = 0; k < l->n; k++) {
		buf_addch(out, '\n');
		put_instruction(l->items[k], depth, out);
	}
}

static void put_stage(const struct stage *s, struct buf *out)
{
	buf_printf(out, "\n  (stage %u", s->index);
	put_field(out, "name", s->name);
	put_field(out, "base", s->base);
	put_field(out, "platform", s->platform);
	buf_addch(out, '\n');
	put_instruction(s->from, 4, out);
	put_list(&s->instructions, 4, out);
	buf_addch(out, ')');
}

static void put_warning(const struct dockerfile_warning *w, struct buf *out)
{
	buf_printf(out, "\n  (warning %s %u", w->rule, w->line);
	if (w->end_line != w->line)
		buf_printf(out, "-%u", w->end_line);
	put_string(out, w->message);
	put_field(out, "fix", w->fix);
	if (w->mark_line)
		buf_printf(out, " (mark %u %u %zu)", w->mark_line, w->mark_column,
			   strlen(w->mark));
	buf_addch(out, ')');
}

void dockerfile_print(const struct dockerfile *d, struct buf *out)
{
	struct check_config wanted = {0};

	buf_addstr(out, "(dockerfile");
	put_field(out, "syntax", d->syntax);
	if (d->escape != '\\')
		put_field(out, "escape", (char[]){d->escape, 0});
	put_field(out, "check", d->check);
	put_list(&d->globals, 2, out);
	for (size_t k = 0; k < d->n_stages; k++)
		put_stage(&d->stages[k], out);
	check_config_parse(d->check, &wanted, NULL);
	for (size_t k = 0; k < d->n_warnings; k++)
		if (check_wants(&wanted, d->warnings[k].rule))
			put_warning(&d->warnings[k], out);
	check_config_clear(&wanted);
	buf_addstr(out, ")\n");
}
