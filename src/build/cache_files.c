/* SPDX-License-Identifier: Apache-2.0 */
/* The moments at which a build needs files that --cache-from knows by name only. */
#include "build/cache.h"
#include "build/mount.h"
#include "build/step.h"

#include "base/banned.h"

int cache_need(struct graph *g, struct lease **lease, const struct vertex *v, struct error *err)
{
	int r;

	if (!g->imports || !v || !v->diff_ids.n)
		return 0;
	if (!*lease && (r = lease_new(g->store, lease, err)) < 0)
		return r;
	return cache_imports_fetch(g->imports, g->store, *lease, &v->diff_ids, err);
}

int cache_need_inputs(struct graph *g, struct lease **lease, const struct vertex *v,
		      struct error *err)
{
	int r = cache_need(g, lease, v->parent, err);

	if (r == 0)
		r = cache_need(g, lease, v->copy.from, err);
	for (size_t i = 0; r == 0 && i < v->run.n_mounts; i++)
		r = cache_need(g, lease, v->run.mounts[i].files.from, err);
	return r;
}

/* What is known of the content is kept here: then nobody has to read the files. */
static int need_content(struct graph *g, struct lease **lease, const struct copy_spec *files,
			struct error *err)
{
	struct digest memo, content;

	step_memo_key(files, &memo);
	if (store_memo_find(g->store, &memo, &content))
		return 0;
	if (cache_imports_memo(g->imports, &memo, &content))
		return store_memo_add(g->store, &memo, &content, err);
	return cache_need(g, lease, files->from, err);
}

int cache_need_contents(struct graph *g, struct lease **lease, const struct run_spec *run,
			struct error *err)
{
	int r = 0;

	for (size_t i = 0; g->imports && r == 0 && i < run->n_mounts; i++)
		if (run->mounts[i].has_files)
			r = need_content(g, lease, &run->mounts[i].files, err);
	return r;
}
