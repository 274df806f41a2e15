/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes for a git repository. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "base/strlist.h"
#include "remote/remote.h"

#include "base/banned.h"

#define COMMIT_DIGITS_MIN 7

/* "user@host:path", which has no scheme. */
static bool is_scp(const char *text)
{
	size_t at = strcspn(text, "@:/");

	if (text[at] != '@' || !at)
		return false;
	text += at + 1;
	at = strcspn(text, ":/");
	return at && text[at] == ':' && text[at + 1] && text[at + 1] != '/';
}

/* http and https are git's only if the path says so. */
static bool has_git_path(const char *url)
{
	size_t len = strcspn(url, "?#");

	return len > 4 && !strncmp(url + len - 4, ".git", 4);
}

bool remote_is_git(const char *text)
{
	if (str_starts(text, "./") || str_starts(text, "../"))
		return false;
	if (str_starts(text, "http://") || str_starts(text, "https://"))
		return has_git_path(text);
	return str_starts(text, "git://") || str_starts(text, "ssh://") ||
	       str_starts(text, "file://") || str_starts(text, "github.com/") || is_scp(text);
}

char *remote_redact(const char *text)
{
	const char *host = strstr(text, "://"), *at;
	size_t len;

	if (!host)
		return mem_strdup(text);
	host += 3;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	/* a name alone is no secret with ssh, and may be a token with http */
	if (!at || (str_starts(text, "ssh://") && !memchr(host, ':', (size_t)(at - host))))
		return mem_strdup(text);
	return mem_printf("%.*s%s%s", (int)(host - text), text,
			  memchr(host, ':', (size_t)(at - host)) ? "xxxxx:xxxxx" : "xxxxx", at);
}

static char *decode(const char *text)
{
	struct buf out = BUF_INIT;

	for (; *text; text++) {
		char hex[3] = {0};
		char *end = hex;
		long value = 0;

		if (*text == '%' && text[1] && text[2]) {
			hex[0] = text[1];
			hex[1] = text[2];
			value = strtol(hex, &end, 16);
		}
		if (end == hex + 2 && value) {
			buf_addch(&out, (char)value);
			text += 2;
		} else {
			buf_addch(&out, *text);
		}
	}
	return buf_steal(&out);
}

/* Sets a value that may have been given in another way too. */
static int set_once(char **field, const char *what, char *value, struct error *err)
{
	int r = 0;

	if (*field && !str_eq(*field, value))
		r = error_set(err, ERR_INVALID, "%s conflicts: \"%s\" and \"%s\"", what, *field,
			      value);
	free(*field);
	*field = value;
	return r;
}

static int set_flag(const char *name, const char *value, bool *out, struct error *err)
{
	if (parse_bool(value, out))
		return 0;
	return error_set(err, ERR_INVALID, "invalid %s value: \"%s\"", name, value);
}

static int set_under(struct remote_git *g, const char *prefix, const char *value,
		     struct error *err)
{
	return set_once(&g->ref, "ref",
			mem_printf("%s%s", str_starts(value, prefix) ? "" : prefix, value),
			err);
}

static int set_query(struct remote_git *g, const char *name, const char *value,
		     struct error *err)
{
	bool submodules = true;
	int r;

	if (!*value)
		return error_set(err, ERR_INVALID, "query \"%s\" has no value", name);
	if (str_eq(name, "ref"))
		return set_once(&g->ref, "ref", mem_strdup(value), err);
	if (str_eq(name, "branch"))
		return set_under(g, "refs/heads/", value, err);
	if (str_eq(name, "tag"))
		return set_under(g, "refs/tags/", value, err);
	if (str_eq(name, "subdir"))
		return set_once(&g->subdir, "subdir", mem_strdup(value), err);
	if (str_eq(name, "commit") || str_eq(name, "checksum"))
		return remote_git_want(g, value, err);
	if (str_eq(name, "keep-git-dir"))
		return set_flag(name, value, &g->keep_git_dir, err);
	if (str_eq(name, "submodules")) {
		r = set_flag(name, value, &submodules, err);
		g->no_submodules = !submodules;
		return r;
	}
	error_set(err, ERR_INVALID, "unexpected query \"%s\"", name);
	error_hint(err, "there are ref, branch, tag, subdir, commit, submodules, keep-git-dir");
	return -ERR_INVALID;
}

static int read_query(struct remote_git *g, const char *query, struct error *err)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;
	int r = 0;

	strlist_split(&parts, query, '&');
	for (size_t i = 0; r == 0 && i < parts.n; i++) {
		char *value = strchr(parts.items[i], '=');
		AUTO(free) char *decoded = NULL;

		if (!*parts.items[i])
			continue;
		if (value)
			*value++ = 0;
		decoded = decode(value ? value : "");
		r = set_query(g, parts.items[i], decoded, err);
	}
	return r;
}

static int read_fragment(struct remote_git *g, const char *fragment, struct error *err)
{
	const char *colon = strchr(fragment, ':');
	size_t len = colon ? (size_t)(colon - fragment) : strlen(fragment);
	int r = 0;

	if (len)
		r = set_once(&g->ref, "ref", mem_strndup(fragment, len), err);
	if (r == 0 && colon && colon[1])
		r = set_once(&g->subdir, "subdir", mem_strdup(colon + 1), err);
	return r;
}

/* Words of ours on git's command line must not look like options, nor hide control bytes. */
static int check_word(const char *what, const char *word, struct error *err)
{
	for (const char *s = word; s && *s; s++)
		if ((unsigned char)*s < 33 || *s == 127)
			return error_set(err, ERR_INVALID, "%s has a blank or control byte",
					 what);
	if (word && *word == '-')
		return error_set(err, ERR_INVALID, "%s begins with \"-\": %s", what, word);
	return 0;
}

static int finish(struct remote_git *g, struct error *err)
{
	char *clean;
	int r;

	if (!g->ref && g->commit && (strlen(g->commit) == 40 || strlen(g->commit) == 64))
		g->ref = mem_strdup(g->commit);
	for (char *at = g->subdir; at && (at = strstr(at, "..")); at += 2)
		if ((at == g->subdir || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return error_set(err, ERR_ESCAPE,
					 "subdirectory %s leaves the repository", g->subdir);
	clean = root_clean_path(g->subdir ? g->subdir : "");
	free(g->subdir);
	g->subdir = clean;
	if ((r = check_word("the repository", g->url, err)) < 0)
		return r;
	return check_word("the ref", g->ref, err);
}

int remote_git_parse(const char *text, struct remote_git *out, struct error *err)
{
	size_t len = strcspn(text, "?#");
	const char *hash = strchr(text, '#');
	int r = 0;

	*out = (struct remote_git){0};
	out->url = mem_printf("%s%.*s", str_starts(text, "github.com/") ? "https://" : "",
			      (int)len, text);
	if (hash)
		r = read_fragment(out, hash + 1, err);
	if (r == 0 && text[len] == '?') {
		size_t end = strcspn(text + len + 1, "#");
		AUTO(free) char *query = mem_strndup(text + len + 1, end);

		r = read_query(out, query, err);
	}
	if (r == 0)
		r = finish(out, err);
	if (r < 0) {
		AUTO(free) char *shown = remote_redact(text);

		error_wrap(err, "%s", shown);
		remote_git_clear(out);
	}
	return r;
}

int remote_git_want(struct remote_git *g, const char *checksum, struct error *err)
{
	size_t len = strlen(checksum);

	if (len < COMMIT_DIGITS_MIN || len > 64 ||
	    checksum[strspn(checksum, "0123456789abcdef")]) {
		error_set(err, ERR_INVALID, "invalid commit \"%s\"", checksum);
		error_hint(err, "it is %d to 40 (or 64) hexadecimal digits", COMMIT_DIGITS_MIN);
		return -ERR_INVALID;
	}
	return set_once(&g->commit, "commit", mem_strdup(checksum), err);
}

void remote_git_clear(struct remote_git *g)
{
	free(g->url);
	free(g->ref);
	free(g->subdir);
	free(g->commit);
	*g = (struct remote_git){0};
}
