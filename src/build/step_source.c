/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of what lies elsewhere: the vertex that brings it, and its execution in the child. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build/lower.h"
#include "build/step.h"

#include "base/banned.h"

#define UNNAMED "__unnamed__" /* BuildKit's word for a URL without a path */

static struct vertex *find(struct graph *g, const char *text, const char *checksum,
			   bool keep_git_dir)
{
	for (size_t i = 0; i < g->n; i++) {
		struct vertex *v = g->items[i];
		char want[DIGEST_TEXT_SIZE];

		if (v->kind != VERTEX_SOURCE || !str_eq(v->source.url, text))
			continue;
		if (v->source.kind == SOURCE_HTTP &&
		    str_eq(v->source.has_want ? digest_text(&v->source.want, want) : NULL,
			   checksum))
			return v;
		if (v->source.kind == SOURCE_GIT && !checksum &&
		    v->source.git.keep_git_dir == keep_git_dir)
			return v;
	}
	return NULL;
}

static int set_http(struct source_spec *s, const char *url, const char *checksum,
		    struct error *err)
{
	char *name = remote_file_name(url);

	s->kind = SOURCE_HTTP;
	s->file.name = *name ? name : mem_strdup(UNNAMED);
	if (!*name)
		free(name);
	s->has_want = checksum != NULL;
	if (!checksum || digest_parse(checksum, &s->want))
		return 0;
	error_set(err, ERR_INVALID, "invalid checksum \"%s\"", checksum);
	error_hint(err, "it is sha256: and 64 hexadecimal digits");
	return -ERR_INVALID;
}

static int set_git(struct source_spec *s, const char *text, const char *checksum,
		   bool keep_git_dir, struct error *err)
{
	int r = remote_git_parse(text, &s->git, err);

	s->kind = SOURCE_GIT;
	if (r < 0)
		return r;
	s->git.keep_git_dir |= keep_git_dir;
	return checksum ? remote_git_want(&s->git, checksum, err) : 0;
}

int lower_remote(struct graph *g, const char *text, const char *checksum, bool keep_git_dir,
		 struct vertex **out, struct error *err)
{
	struct vertex *v = find(g, text, checksum, keep_git_dir);

	*out = v;
	if (v)
		return 0;
	v = graph_add(g, VERTEX_SOURCE, NULL);
	v->text = remote_redact(text);
	v->source.url = mem_strdup(text);
	*out = v;
	if (remote_is_git(text))
		return set_git(&v->source, text, checksum, keep_git_dir, err);
	return set_http(&v->source, text, checksum, err);
}

void source_spec_clear(struct source_spec *s)
{
	free(s->url);
	free(s->file.name);
	remote_git_clear(&s->git);
}

int step_source(struct job *j, struct error *err)
{
	const struct source_spec *s = &j->v->source;

	if (s->kind == SOURCE_GIT)
		return remote_git_checkout(j->cache, &s->git, &j->fetched->checkout, err);
	return remote_download(j->cache, s->url, s->has_want ? &s->want : NULL,
			       &j->fetched->file, err);
}
