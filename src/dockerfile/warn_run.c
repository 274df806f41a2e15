/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warn_run - remarks on shell commands of RUN that make a layer larger than
 * it has to be.
 *
 * The command is not parsed as a shell would: it is split into simple
 * commands at ; & | newline and brackets, and each into words.  What is
 * hidden in variables, eval or scripts is not seen, and nothing is said of it.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/mem.h"

#include "base/banned.h"

/* ------------------------------------------------------------------------ words of a shell */

/* Takes the next simple command off *at into @words; false at the end. */
static bool next_command(const char **at, struct strlist *words)
{
	AUTO(buf) struct buf word = BUF_INIT;
	const char *s = *at;
	bool any = false;
	char quote = 0;

	strlist_clear(words);
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s == '\\' && quote != '\'' && s[1]) {
			buf_addch(&word, *++s);
			any = true;
		} else if (quote ? *s == quote : *s == '"' || *s == '\'') {
			quote = quote ? 0 : *s;
			any = true;
		} else if (quote || !strchr(" \t\r\n;&|()", *s)) {
			if (*s == '#' && !any) {
				s += strcspn(s, "\n") - 1;
				continue;
			}
			buf_addch(&word, *s);
			any = true;
		} else {
			if (any)
				strlist_add(words, buf_str(&word));
			buf_reset(&word);
			any = false;
			if (strchr("\n;&|()", *s))
				break;
		}
	}
	if (any)
		strlist_add(words, buf_str(&word));
	*at = *s ? s + 1 : s;
	return true;
}

/* Index of the program among the words of a command: after VAR=x, sudo, env, then, do … */
static size_t program_at(const struct strlist *w)
{
	static const char *const before[] = {"sudo", "env", "exec", "command", "then", "do",
					     "else", "if",  "!",    "{",       "time", NULL};
	size_t i = 0;

	for (; i < w->n; i++) {
		const char *const *b = before;

		while (*b && !str_eq(*b, w->items[i]))
			b++;
		if (!*b && !strchr(w->items[i], '='))
			break;
	}
	return i;
}

static bool is_program(const char *word, const char *name)
{
	const char *slash = strrchr(word, '/');

	return str_eq(slash ? slash + 1 : word, name);
}

/* What RUN hands to the shell, or the words of its JSON form on one line. */
static void text_of(const struct instruction *i, struct buf *out)
{
	if (i->form == FORM_SHELL) {
		instruction_run_script(i, out);
		return;
	}
	for (size_t k = 0; k < i->n_args; k++)
		buf_printf(out, "%s\n", i->args[k]);
}

/* ------------------------------------------------------------------------ apt */

static bool mounts_lists(const struct instruction *i)
{
	AUTO(strlist) struct strlist mounts = STRLIST_INIT;

	instruction_flag_all(i, "mount", &mounts);
	for (size_t k = 0; k < mounts.n; k++)
		if ((strstr(mounts.items[k], "type=cache") ||
		     strstr(mounts.items[k], "type=tmpfs")) &&
		    (strstr(mounts.items[k], "=/var/lib/apt") ||
		     strstr(mounts.items[k], "=/var/lib,") ||
		     strstr(mounts.items[k], "=/var,")))
			return true;
	return false;
}

static bool updates_lists(const struct strlist *w)
{
	size_t at = program_at(w);

	if (at == w->n ||
	    !(is_program(w->items[at], "apt-get") || is_program(w->items[at], "apt") ||
	      is_program(w->items[at], "aptitude")))
		return false;
	for (size_t k = at + 1; k < w->n; k++)
		if (str_eq(w->items[k], "update"))
			return true;
	return false;
}

static bool removes_lists(const struct strlist *w)
{
	bool deletes = false, lists = false;

	for (size_t k = 0; k < w->n; k++) {
		bool clean =
			str_eq(w->items[k], "distclean") || str_eq(w->items[k], "dist-clean");

		deletes |= clean || is_program(w->items[k], "rm") ||
			   str_eq(w->items[k], "-delete");
		lists |= clean || str_starts(w->items[k], "/var/lib/apt");
	}
	return deletes && lists;
}

static void warn_apt(struct parser *p, const struct instruction *i, const char *text)
{
	AUTO(strlist) struct strlist w = STRLIST_INIT;
	bool left = false;

	while (next_command(&text, &w))
		left = (left || updates_lists(&w)) && !removes_lists(&w);
	if (left && !mounts_lists(i))
		warn(p,
		     &(struct dockerfile_warning){
			     .rule = "AptListsLeft",
			     .line = i->line,
			     .end_line = i->end_line,
			     .mark = "update",
			     .fix = "end the same RUN with rm -rf /var/lib/apt/lists/*, or use "
				    "RUN --mount=type=cache,target=/var/lib/apt/lists"},
		     "the package lists that apt fetches stay in this layer");
}

/* ------------------------------------------------------------------------ chown and chmod */

/* COPYs of one stage that are remembered: each is compared with each word of a chown. */
#define LIMIT_BROUGHT 64

struct brought {
	char *path; /* absolute, without a slash at the end; of a directory or a file */
	const struct instruction *by;
};

struct brought_list {
	struct brought *items;
	size_t n;
	size_t cap;
};

/* The working directory as far as it can be known from the text; NULL if it cannot. */
struct place {
	char *workdir;
	struct brought_list brought;
};

static char *clean_path(const char *workdir, const char *word)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;
	AUTO(strlist) struct strlist kept = STRLIST_INIT;
	AUTO(free) char *joined = NULL;
	AUTO(free) char *path = NULL;

	if (*word != '/' && !workdir)
		return NULL;
	joined = *word == '/' ? mem_strdup(word) : mem_printf("%s/%s", workdir, word);
	if (strpbrk(joined, "$*?[\"'"))
		return NULL;
	strlist_split(&parts, joined, '/');
	for (size_t k = 0; k < parts.n; k++) {
		if (str_eq(parts.items[k], "..") && kept.n)
			strlist_remove(&kept, kept.n - 1);
		else if (*parts.items[k] && *parts.items[k] != '.')
			strlist_add(&kept, parts.items[k]);
		else if (*parts.items[k] == '.' && parts.items[k][1] &&
			 !str_eq(parts.items[k], ".."))
			strlist_add(&kept, parts.items[k]);
	}
	path = strlist_join(&kept, "/");
	return mem_printf("/%s", path);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return str_eq(dir, "/") || (strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Notes where the files of a COPY or ADD land. */
static void note_copy(struct place *at, const struct instruction *i)
{
	const char *dest = i->args[i->n_args - 1];
	bool into = str_ends(dest, "/") || str_eq(dest, ".") || i->n_args > 2;

	for (size_t k = 0; k + 1 < i->n_args; k++) {
		const char *name = base_name(i->args[k]);
		bool file = into && *name && *name != '.' && strchr(name, '.');
		AUTO(free) char *dir = clean_path(at->workdir, dest);
		struct brought *b;

		/* one name with a dot in it is a file, and keeps its name below a directory */
		if (!dir || strpbrk(i->args[k], "$*?[\"'<"))
			file = false;
		if (!dir || at->brought.n == LIMIT_BROUGHT)
			continue;
		b = vec_push(&at->brought);
		b->by = i;
		b->path = file ? mem_printf("%s/%s", str_eq(dir, "/") ? "" : dir, name)
			       : mem_strdup(dir);
	}
}

/* The earlier COPY that brought what @path is or holds. */
static const struct instruction *find_brought(const struct place *at, const char *path,
					      bool recursive)
{
	for (size_t k = at->brought.n; k-- > 0;) {
		const struct brought *b = &at->brought.items[k];

		if (str_eq(b->path, "/") ? str_eq(path, "/") && recursive
		    : recursive		 ? is_below(b->path, path) || is_below(path, b->path)
					 : str_eq(b->path, path))
			return b->by;
	}
	return NULL;
}

/* Where the options of chown or chmod end; *out_recursive: with -R. */
static size_t skip_options(const struct strlist *w, size_t k, bool *out_recursive)
{
	for (; k < w->n && w->items[k][0] == '-' && w->items[k][1]; k++) {
		const char *o = w->items[k];

		/* "-x" may be a mode of chmod */
		if (o[1] != '-' && strspn(o + 1, "cfvhRHLP") != strlen(o + 1))
			break;
		*out_recursive |= str_eq(o, "--recursive") || (o[1] != '-' && strchr(o, 'R'));
	}
	return k;
}

static bool warn_change(struct parser *p, const struct instruction *i, const struct place *at,
			const struct strlist *w, const char *workdir)
{
	size_t k = program_at(w);
	bool recursive = false, own;

	if (k == w->n ||
	    !((own = is_program(w->items[k], "chown")) || is_program(w->items[k], "chmod") ||
	      (own = is_program(w->items[k], "chgrp"))))
		return false;
	for (k = skip_options(w, k + 1, &recursive) + 1; k < w->n; k++) {
		AUTO(free) char *path = clean_path(workdir, w->items[k]);
		const struct instruction *by = path ? find_brought(at, path, recursive) : NULL;

		if (!by)
			continue;
		warn(p,
		     &(struct dockerfile_warning){
			     .rule = "RunChownDoublesLayer",
			     .line = i->line,
			     .end_line = i->end_line,
			     .mark = w->items[k],
			     .fix = own ? "give the owner where the files come in: "
					  "COPY --chown=user:group"
					: "give the mode where the files come in: "
					  "COPY --chmod=mode"},
		     "what %s of line %u brought is stored a second time in this layer",
		     instruction_name(by->kind), by->line);
		return true;
	}
	return false;
}

static void warn_chown(struct parser *p, const struct instruction *i, const struct place *at,
		       const char *text)
{
	AUTO(strlist) struct strlist w = STRLIST_INIT;
	AUTO(free) char *workdir = at->workdir ? mem_strdup(at->workdir) : NULL;

	while (next_command(&text, &w)) {
		size_t k = program_at(&w);

		if (k + 1 < w.n && str_eq(w.items[k], "cd")) {
			char *to = clean_path(workdir, w.items[k + 1]);

			free(workdir);
			workdir = to;
		} else if (warn_change(p, i, at, &w, workdir)) {
			return;
		}
	}
}

/* JSON: one command whose words are the arguments, if it is no shell's. */
static void warn_run(struct parser *p, const struct instruction *i, const struct place *at)
{
	AUTO(buf) struct buf text = BUF_INIT;

	text_of(i, &text);
	if (i->form == FORM_EXEC) {
		AUTO(strlist) struct strlist w = STRLIST_INIT;

		for (size_t k = 0; k < i->n_args; k++)
			strlist_add(&w, i->args[k]);
		warn_change(p, i, at, &w, at->workdir);
		if (i->n_args == 3 && str_eq(i->args[1], "-c")) {
			warn_apt(p, i, i->args[2]);
			warn_chown(p, i, at, i->args[2]);
		}
		return;
	}
	warn_apt(p, i, buf_str(&text));
	warn_chown(p, i, at, buf_str(&text));
}

void warn_commands(struct parser *p, const struct stage *s)
{
	struct place at = {.workdir = str_eq(s->base, "scratch") ? mem_strdup("/") : NULL};

	for (size_t k = 0; k < s->instructions.n; k++) {
		const struct instruction *i = s->instructions.items[k];

		if (i->kind == INSTRUCTION_WORKDIR) {
			char *to = clean_path(at.workdir, i->args[0]);

			free(at.workdir);
			at.workdir = to;
		} else if (i->kind == INSTRUCTION_COPY || i->kind == INSTRUCTION_ADD) {
			note_copy(&at, i);
		} else if (i->kind == INSTRUCTION_RUN) {
			warn_run(p, i, &at);
		}
	}
	for (size_t k = 0; k < at.brought.n; k++)
		free(at.brought.items[k].path);
	free(at.brought.items);
	free(at.workdir);
}
