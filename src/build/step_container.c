/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step_container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

void container_clear(struct container *c)
{
	container_options_clear(&c->options);
	runtime_spec_clear(&c->spec);
	for (size_t i = 0; i < c->n_binds; i++)
		close_fd(&c->binds[i].fd);
	free(c->binds);
	close_fd(&c->root);
	close_fd(&c->etc);
	*c = CONTAINER_INIT;
}

static void make_options(const struct job *j, struct container_options *o)
{
	const struct run_spec *run = &j->v->run;

	o->id = mem_strdup(j->id);
	/* the name that a builder's container has does not differ from build to build */
	o->hostname = mem_strdup("buildkitsandbox");
	strlist_addall(&o->args, &run->args);
	/* a container has it in its environment, a build step has not */
	strlist_add(&o->env, "HOSTNAME");
	strlist_addall(&o->env, &run->env);
	o->workdir = mem_strdup(run->workdir);
	o->user = mem_strdup(run->user);
	o->network = run->network;
	o->privileged = run->insecure;
	o->shm_size = j->g->o->shm_size;
	o->memory = j->g->o->memory;
	for (size_t i = 0; j->g->o->ulimits && i < j->g->o->ulimits->n; i++) {
		const struct rlimit_spec *l = &j->g->o->ulimits->items[i];

		*vec_push(&o->ulimits) = (struct rlimit_spec){
			.type = mem_strdup(l->type), .hard = l->hard, .soft = l->soft};
	}
	if (j->g->o->extra_hosts)
		strlist_addall(&o->extra_hosts, j->g->o->extra_hosts);
}

void container_prepare(const struct job *j, struct container *c)
{
	c->binds =
		mem_resize(NULL, RUNTIME_ETC_BINDS + j->v->run.n_mounts + 1, sizeof(*c->binds));
	make_options(j, &c->options);
}

int container_spec(const struct job *j, struct container *c, struct error *err)
{
	AUTO(runtime_user) struct runtime_user user = RUNTIME_USER_INIT;
	int r = runtime_resolve_user(c->root, c->options.user, &user, err);

	if (r < 0 || (r = runtime_make_spec(NULL, &c->options, &user, &c->spec, err)) < 0)
		return r;
	/* without limits the pid name space ends all of it: no cgroup is needed */
	free(c->spec.cgroups_path);
	c->spec.cgroups_path = j->cgroup ? mem_strdup(j->cgroup) : NULL;
	return 0;
}

/* layers/DIR/etc, which goes before the layer is committed. */
static int open_etc(const struct job *j, int *out, struct error *err)
{
	AUTO(free) char *etc = mem_printf("%s/etc", j->dir);

	if (mkdirat(j->layers, etc, 0700) < 0)
		return error_sys(err, "cannot create layers/%s", etc);
	*out = openat(j->layers, etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "layers/%s", etc) : 0;
}

/* Attached, and in memory, as must be what another runtime's bundle says of a secret. */
static int memory_etc(const struct mount_set *set, int *out, struct error *err)
{
	if (mkdirat(set->memory, "etc", 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot make a directory in memory");
	*out = openat(set->memory, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cannot open a directory in memory") : 0;
}

/*
 * In memory.  until 6.15: a file of a detached mount cannot be bound; then, and
 * for another runtime's bundle, in a directory.
 */
int container_etc(const struct job *j, const struct mount_set *set, struct container *c,
		  struct error *err)
{
	AUTO(fd) int scratch = -1;
	int r;

	if (!set->place && !j->g->o->runtime && snapshot_scratch(&scratch, NULL) == 0 &&
	    runtime_etc_binds(scratch, &c->options, j->endpoint, c->binds, &c->n_binds, NULL) ==
		    0)
		return 0;
	r = set->place ? memory_etc(set, &c->etc, err) : open_etc(j, &c->etc, err);
	return r < 0 ? r
		     : runtime_etc_binds(c->etc, &c->options, j->endpoint, c->binds,
					 &c->n_binds, err);
}

void container_sandbox(const struct job *j, struct container *c, const int stdio[3],
		       struct sandbox_options *out)
{
	*out = (struct sandbox_options){.spec = &c->spec,
					.id = c->options.id,
					.root_fd = take_fd(&c->root),
					.netns_fd = j->netns,
					.stdio = stdio,
					.binds = c->binds,
					.nbinds = c->n_binds,
					.cache_dir = j->cache,
					.bundle_dir = c->etc,
					.runtime = j->g->o->runtime};
	c->n_binds = 0;
}
