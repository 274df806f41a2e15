/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - the use cases, over one opened store.
 *
 * This is the only interface that front ends see.  It knows no terminals, no
 * option tables and no output formats: it takes requests, returns values and
 * errors, and tells progress as events.  The value types of images, builds
 * and containers come with the headers included here.
 *
 * An engine belongs to one thread.  Requests borrow what they point to.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/strlist.h"
#include "build/build.h"
#include "image/image.h"
#include "oci/oci.h"
#include "network/network.h"
#include "runtime/runtime.h"
#include "store/store.h"

struct engine;

/* @root NULL: STAVE_ROOT or the default place.  See store_open() for errors. */
int engine_open(const char *root, struct engine **out, struct error *err);
/*
 * For engine_pull() and engine_push() alone: they open the store, once what speaks to the
 * registry has been started.
 */
struct engine *engine_for_registry(const char *root);
void engine_close(struct engine *e);
/* Many questions of one moment: see store_view_begin(). */
int engine_view_begin(struct engine *e, struct error *err);
void engine_view_end(struct engine *e);

static inline void engine_auto(struct engine **e)
{
	if (*e)
		engine_close(*e);
}

/* ---- build ---- */

enum engine_output_type {
	ENGINE_OUTPUT_IMAGE = 1, /* in the store */
	ENGINE_OUTPUT_LOCAL,	 /* the files, below a directory */
	ENGINE_OUTPUT_TAR,	 /* the files, as a tar */
	ENGINE_OUTPUT_OCI,	 /* the image, as an OCI layout */
	ENGINE_OUTPUT_REGISTRY,	 /* the image, pushed; of one platform also in the store */
	ENGINE_OUTPUT_DOCKER,	 /* the image, as an archive for `docker load` */
};

struct engine_output {
	enum engine_output_type type;
	/* LOCAL, and OCI that is @unpacked: a directory, made when it is not there */
	const char *dest;
	bool unpacked;
	bool by_digest; /* REGISTRY: no tag */
	bool split; /* LOCAL: below a directory of the platform's name, as always with several
		     */
	int fd;	    /* the others: where the archive goes; borrowed */
	struct strlist names; /* as written; none: those of the build */
	struct image_form form;
	struct image_annotations annotations;
};

struct engine_build {
	const char *context;	/* a directory, or "-": a tar or a Dockerfile on @input */
	const char *dockerfile; /* -f: a path (below the context or not), "-": @input; NULL:
				   default */
	int input;		/* standard input; borrowed */
	struct strlist names;	/* -t, as written */
	struct strlist
		build_args;    /* NAME=value, or NAME: from our environment if it is there */
	struct strlist labels; /* KEY=value */
	struct strlist extra_hosts;
	const char *target;
	const char *platform;
	const char *network; /* NULL: default */
	const char *runtime;
	struct strlist secrets; /* --secret, --ssh, --allow, --ulimit: as written */
	struct strlist ssh;
	struct strlist allow;
	struct strlist ulimits;
	uint64_t shm_size; /* bytes; 0: default */
	uint64_t memory;   /* bytes; 0: no limit */
	const char *cgroup_parent;
	const struct build_on_error *on_error; /* NULL: none */
	bool pull;			       /* also what is in the store */
	bool no_cache;
	struct strlist no_cache_stages;	     /* --no-cache-filter */
	struct strlist cache_from, cache_to; /* "type=local,src=DIR" */
	/*
	 * NAME=VALUE: a directory, docker-image://REFERENCE,
	 * oci-layout://DIRECTORY[:TAG][@DIGEST], target:STAGE
	 */
	struct strlist contexts;
	enum build_dump dump; /* 0: build; else print that stage to @dump_out instead */
	struct buf *dump_out;
	const struct progress *progress;
	bool flatten;
	/* None: the image in the store, as with one ENGINE_OUTPUT_IMAGE. */
	const struct engine_output *outputs;
	size_t n_outputs;
	/* Said about the image in the outputs that can hold it: archives of OCI, files. */
	bool sbom;
	enum build_provenance provenance;
	/* The image as the last of those outputs describes it; may be NULL. */
	struct engine_built *built;
};

struct engine_built {
	struct descriptor descriptor; /* of the manifest; no digest: files only */
	struct strlist names;	      /* normal references */
};

void engine_built_clear(struct engine_built *b);

/*
 * Reads the Dockerfile and its ignore file, builds, names the image.
 * SOURCE_DATE_EPOCH comes from --build-arg or our environment.  With an error
 * that has a line, @out_dockerfile (may be NULL) gets the text that it is in.
 */
int engine_build(struct engine *e, const struct engine_build *req, struct build_result *out,
		 struct buf *out_dockerfile, struct error *err);

/* What the last builds left behind: see build_explain(), build_logs(), build_diff(). */
int engine_build_why(struct engine *e, const char *id, const char *step, json_t **out,
		     struct error *err);
int engine_build_logs(struct engine *e, const char *id, const char *step,
		      struct build_log_list *out, struct error *err);
int engine_build_history(struct engine *e, struct build_past_list *out, struct error *err);
int engine_build_diff(struct engine *e, const char *id, const char *step,
		      struct layer_change_list *out, struct error *err);

struct engine_answer {
	struct build_answer build;
	struct buf dockerfile; /* the text that lines are of */
	char *name;	       /* of the file */
	/* what the answer borrows from */
	struct build_options options;
	struct strlist args;
};

/*
 * Answers about a Dockerfile without building it, see build_ask().  Opens no
 * store to write to, unless the context is an archive that has to be unpacked
 * somewhere; a store that is there is looked at for base images.  *out is to be
 * cleared in any case.
 */
int engine_ask(const char *root, const struct engine_build *req, enum build_question what,
	       struct engine_answer *out, struct error *err);
void engine_answer_clear(struct engine_answer *a);

static inline void engine_answer_auto(struct engine_answer *a)
{
	engine_answer_clear(a);
}

/* ---- images ---- */

/* Newest first; one element an image, with all its names. */
int engine_images(struct engine *e, struct store_image_list *out, struct error *err);
int engine_image(struct engine *e, const char *text, struct image *out, struct error *err);
/* -ERR_NOT_FOUND, Docker's words, unless @i, which the user called @text, is for @platform. */
int engine_check_platform(const struct image *i, const char *text, const char *platform,
			  struct error *err);
int engine_tag(struct engine *e, const char *source, const char *target, struct error *err);
int engine_rmi(struct engine *e, const char *text, bool force, struct image_removed *out,
	       struct error *err);
int engine_history(struct engine *e, const struct image *i, struct image_history *out,
		   struct error *err);
/* Docker's inspect object, new reference. */
json_t *engine_inspect_image(struct engine *e, const struct image *i);

int engine_compare(struct engine *e, const char *a, const char *b,
		   struct image_difference_list *out, struct error *err);
/* One layer of all under the same config; @name NULL: no name. */
int engine_flatten(struct engine *e, const char *text, const char *name, struct digest *out_id,
		   struct error *err);

struct engine_rebase {
	const char *image, *onto;
	const char *from;     /* NULL: found by the layers */
	struct strlist names; /* as written */
	bool force;
};

/* See image_rebase(). */
int engine_rebase(struct engine *e, const struct engine_rebase *req, struct digest *out_id,
		  struct error *err);
/* With the lines of our Dockerfiles; *out_id is the image's. */
int engine_why_big(struct engine *e, const char *text, struct image_big *out,
		   struct digest *out_id, struct error *err);
/* Computes all digests of an image again; *out_bytes were read. */
int engine_verify(struct engine *e, const char *text, uint64_t *out_bytes, struct error *err);

struct engine_import {
	const char *source; /* "-": @input; a path; an http(s) URL */
	int input;
	const char *name; /* NULL: none */
	const char *message;
	struct strlist changes; /* -c: Dockerfile instructions */
	const char *platform;	/* NULL: this machine's */
};

int engine_import(struct engine *e, const struct engine_import *req, struct digest *out_id,
		  struct error *err);

struct engine_save {
	char *const *names; /* as the user wrote them */
	size_t n_names;
	const char *platform; /* NULL: any */
	int output;	      /* borrowed */
};

/* One archive of all of them.  Errors come before the first byte, but for what is damaged. */
int engine_save(struct engine *e, const struct engine_save *req, struct error *err);

struct engine_load {
	int input;			 /* the archive; borrowed */
	const char *path;		 /* for messages; NULL: none */
	const char *platform;		 /* NULL: any */
	const struct image_watch *watch; /* may be NULL */
};

int engine_load(struct engine *e, const struct engine_load *req, struct image_loaded *out,
		struct error *err);

/* ---- registries ---- */

/* Progress as image_pull() and image_push() tell it, with the lines around it. */
struct engine_pull_request {
	const char *name;     /* as written */
	const char *platform; /* NULL: this machine's */
	bool all_tags;
	const struct progress *progress;
};

struct engine_pulled {
	struct digest id; /* of the last one */
	char *name;	  /* normal reference; owned */
};

int engine_pull(struct engine *e, const struct engine_pull_request *req,
		struct engine_pulled *out, struct error *err);
void engine_pulled_clear(struct engine_pulled *p);

struct engine_push_request {
	const char *name;
	bool all_tags;
	const char *platform; /* that the image must be for; NULL: any */
	const struct progress *progress;
};

int engine_push(struct engine *e, const struct engine_push_request *req, struct error *err);

/* ---- what registries have; without a store ---- */

struct engine_remote_part {
	char *ref; /* of a list that is kept here: what it was called; else NULL */
	struct descriptor descriptor;
	json_t *platform; /* as it was written, or NULL */
	struct buf bytes; /* of the manifest; empty: not asked for */
	struct buf config;
};

enum engine_remote_depth {
	ENGINE_REMOTE_TOP = 0,	 /* the document that the name means */
	ENGINE_REMOTE_CONFIG,	 /* and the config, if it is a manifest */
	ENGINE_REMOTE_MANIFESTS, /* and those that it lists; the config of one that lists none
				  */
	ENGINE_REMOTE_CONFIGS,	 /* and theirs */
};

struct engine_remote {
	struct reference ref;
	struct engine_remote_part top;
	bool is_index;
	struct engine_remote_parts {
		struct engine_remote_part *items; /* of an index, in its order */
		size_t n, cap;
	} parts;
};

/* @out starts zeroed.  -ERR_NOT_FOUND, with the registry's words. */
int engine_remote(const char *name, bool insecure, enum engine_remote_depth depth,
		  struct engine_remote *out, struct error *err);

struct engine_tags {
	struct reference ref; /* of the repository */
	struct strlist names; /* sorted */
	struct digest_list digests;
};

/* @out starts zeroed.  Each digest costs a question. */
int engine_remote_tags(const char *name, bool digests, struct engine_tags *out,
		       struct error *err);
void engine_tags_clear(struct engine_tags *t);

static inline void engine_tags_auto(struct engine_tags *t)
{
	engine_tags_clear(t);
}

/* What refers to the image: descriptors, a new array. */
int engine_remote_referrers(const char *name, bool insecure, json_t **out, struct error *err);
void engine_remote_clear(struct engine_remote *r);

/* ---- an index out of what registries have; without a store ---- */

struct engine_create_image {
	const struct strlist *sources; /* references, digests, descriptors in JSON */
	const struct strlist *tags;
	const struct strlist *platforms; /* these only; none: all */
	const struct image_annotations *annotations;
	bool append;	   /* to what the first tag is */
	bool prefer_index; /* also of a single manifest */
};

struct engine_index {
	struct buf bytes; /* as it is, or is going to be, in a registry */
	char *media_type;
	json_t *entries;     /* what it lists, or the one manifest that it is */
	struct strlist from; /* for each, where that is */
};

/* @out starts zeroed.  buildx's words. */
int engine_index_compose(const struct engine_create_image *req, struct engine_index *out,
			 struct error *err);
/* What it lists goes to the repository of @tag, and then it.  @task is told what happens. */
int engine_index_push(const struct engine_index *x, const char *tag,
		      const struct progress *progress, unsigned task, struct error *err);
void engine_index_clear(struct engine_index *x);

static inline void engine_index_auto(struct engine_index *x)
{
	engine_index_clear(x);
}

/* ---- manifest lists on their way to a registry, kept in the store ---- */

/*
 * Brings in @images (manifests in registries) under the list @name.  Without @amend it may not
 * be there; with it, what it has of them stays as it is.  All or nothing.
 */
int engine_list_create(struct engine *e, const char *name, char *const *images, size_t n,
		       bool amend, bool insecure, struct error *err);

struct engine_list_platform {
	const char *os, *architecture, *variant, *os_version; /* NULL or "": as it is */
	const struct strlist *os_features;		      /* are added */
};

int engine_list_annotate(struct engine *e, const char *name, const char *image,
			 const struct engine_list_platform *p, struct error *err);
/*
 * Its manifests go to the list's repository, each told by @pushed, and then the list.
 * *out: its digest.
 */
int engine_list_push(struct engine *e, const char *name, bool insecure,
		     void (*pushed)(void *data, const char *ref, const struct digest *d),
		     void *data, struct digest *out, struct error *err);
int engine_list_remove(struct engine *e, const char *name, struct error *err);
/* As engine_remote(), of the store @root, if there is one.  -ERR_NOT_FOUND. */
int engine_list(const char *root, const char *name, struct engine_remote *out,
		struct error *err);
/* Its @image; borrowed.  -ERR_NOT_FOUND. */
int engine_list_find(const struct engine_remote *list, const char *image,
		     const struct engine_remote_part **out, struct error *err);
/* The bytes of such a list, as Docker's command pushes and shows them. */
void engine_list_encode(const struct engine_remote_parts *parts, struct buf *out);
/* "{…}": the members of a platform that Docker knows, in its order. */
void engine_list_platform(const json_t *platform, struct buf *out);

static inline void engine_remote_auto(struct engine_remote *r)
{
	engine_remote_clear(r);
}

struct engine_copy_image {
	const char *from, *to; /* as written, see image_place_parse() */
	const char *platform;  /* NULL: all */
	bool referrers, insecure;
	const struct progress *progress;
};

int engine_copy_image(const struct engine_copy_image *req, struct digest *out,
		      struct error *err);

/* ---- logins ---- */

struct engine_login {
	const char *registry; /* a domain */
	const char *user, *password;
};

/*
 * Asks the registry, then keeps them; *out_file (new): where, in the clear; NULL: with a
 * helper, or as they were.
 */
int engine_login(const struct engine_login *req, char **out_file, struct error *err);
/* What an earlier login left; both stay NULL without one. */
int engine_login_known(const char *registry, char **out_user, char **out_password,
		       struct error *err);
int engine_logout(const char *registry, struct error *err);

static inline void engine_pulled_auto(struct engine_pulled *p)
{
	engine_pulled_clear(p);
}

/* ---- containers ---- */

enum engine_pull {
	ENGINE_PULL_MISSING = 0,
	ENGINE_PULL_ALWAYS,
	ENGINE_PULL_NEVER,
};

struct engine_run {
	const char *image;
	struct container_options *options; /* filled in: id, name, hostname */
	enum engine_pull pull;
	const char *cidfile;		 /* NULL: none */
	int in, out, err;		 /* ours */
	const char *platform;		 /* of an image that is pulled; NULL: this machine's */
	const struct progress *progress; /* of a pull, as engine_pull() tells it */
	/* told once, before anything runs: "Unable to find image …", warnings; may be NULL */
	void (*notice)(void *data, const char *text);
	/* An option that this machine cannot follow and that was taken out; may be NULL. */
	void (*warning)(void *data, const char *text);
	void *data;
};

/*
 * In the foreground, to the end.  0 and *out_exit_code is the container's; an
 * error has err->exit_code 125, 126 or 127 as Docker's.
 */
int engine_run(struct engine *e, const struct engine_run *req, int *out_exit_code,
	       struct error *err);

/* What a monitor is told by who starts it: see engine_container.h. */
struct engine_monitor {
	const char *id;
	int socket; /* TAKEN */
	unsigned attach, rows, columns;
};

/* ---- the life of a container ---- */

/* Makes it and starts nothing; *out_id is new. */
int engine_create(struct engine *e, const struct engine_run *req, char **out_id,
		  struct error *err);

/* What an attached command does with our streams. */
struct engine_streams {
	bool attach_in, attach_out, attach_err;
	bool sig_proxy;
	const char *detach_keys; /* NULL: the container's, or ctrl-p,ctrl-q */
	int in, out, err;	 /* ours */
};

struct engine_attached {
	int exit_code;
	bool detached; /* by the user's keys: the container goes on */
};

/* @s NULL: in the background.  A container that runs is left as it is: *out says 0. */
int engine_start(struct engine *e, const char *text, const struct engine_streams *s,
		 struct engine_attached *out, struct error *err);
int engine_attach(struct engine *e, const char *text, const struct engine_streams *s,
		  struct engine_attached *out, struct error *err);
/* @signal 0: its stop signal; @seconds INT64_MIN: its time-out, negative: for ever. */
int engine_stop(struct engine *e, const char *text, int signal, int64_t seconds,
		struct error *err);
int engine_kill(struct engine *e, const char *text, int signal, struct error *err);
int engine_pause(struct engine *e, const char *text, bool pause, struct error *err);
int engine_rename(struct engine *e, const char *text, const char *name, struct error *err);
int engine_wait(struct engine *e, const char *text, int *out_code, struct error *err);
/* "TERM", "SIGTERM", "15", "RTMIN+1" in any case; -1 if it is none. */
int engine_signal(const char *text);

struct engine_exec {
	const char *container;
	struct strlist args, env;
	const char *user, *workdir; /* NULL: the container's */
	const char *detach_keys;
	bool interactive, tty, detach, privileged;
	int in, out, err;
};

/* One more command in it; as engine_run(), but 126 where that has 125. */
int engine_exec(struct engine *e, const struct engine_exec *req, struct engine_attached *out,
		struct error *err);

struct engine_logs {
	const char *container;
	bool follow, timestamps, details;
	int64_t tail;		    /* lines; -1: all */
	int64_t since_ns, until_ns; /* 0: no limit */
	int out, err;
};

int engine_logs(struct engine *e, const struct engine_logs *req, struct error *err);

/* The processes of one that runs, as numbers out here. */
int engine_top(struct engine *e, const char *text, struct pid_list *out, struct error *err);

struct engine_usage_now {
	struct sandbox_usage usage; /* all 0: it does not run */
	int64_t at_ns;		    /* monotonic */
};

void engine_measure(struct engine *e, const struct store_container *c,
		    struct engine_usage_now *out);

struct engine_update {
	const struct container_options *limits; /* what is 0 or NULL stays */
	bool has_limits;
	const char *restart;	  /* NULL: stays */
	struct strlist *warnings; /* gets what this machine cannot do, which stays out */
};

int engine_update(struct engine *e, const char *text, const struct engine_update *u,
		  struct error *err);

/* What restart policies want to run after boot; @told of each, @why NULL: it runs. */
int engine_start_all(struct engine *e,
		     void (*told)(void *data, const char *name, const struct error *why),
		     void *data, struct error *err);

struct engine_events {
	int64_t since_ns, until_ns; /* 0: from now on; for ever */
	int (*event)(void *data, const json_t *event, struct error *err);
	void *data;
};

int engine_events(struct engine *e, const struct engine_events *req, struct error *err);

struct engine_copy {
	const char *container;
	const char *path;      /* in it */
	const char *host_path; /* "-": a tar on @in or @out */
	bool to_container;
	bool archive; /* owners are kept */
	bool follow;  /* links at the end of the source */
	int in, out;
};

/* cp, by Docker's rules of what a path means.  Of a container that runs or not. */
int engine_copy(struct engine *e, const struct engine_copy *req, uint64_t *out_bytes,
		struct error *err);

/* The life of a monitor.  Its exit status. */
int engine_monitor(struct engine *e, const struct engine_monitor *req);

/* All, newest first; states of dead ones are already corrected. */
int engine_containers(struct engine *e, struct store_container_list *out, struct error *err);
/* By name, id or its beginning.  -ERR_NOT_FOUND "No such container: x". */
int engine_container(struct engine *e, const char *text, struct store_container *out,
		     struct error *err);
/* -ERR_CONFLICT for a running one, unless @force; @volumes: those without a name, too. */
int engine_rm(struct engine *e, const char *text, bool force, bool volumes, struct error *err);
/* Docker's inspect object as far as it is known, new reference. */
json_t *engine_inspect_container(struct engine *e, const struct store_container *c);
/* Of that what a plain list shows, for much less work: its words, health and ports. */
json_t *engine_outline_container(struct engine *e, const struct store_container *c);
/* Bytes of what it wrote, and of that and its image together. */
int engine_container_size(struct engine *e, const struct store_container *c, uint64_t *out_rw,
			  uint64_t *out_root, struct error *err);

/*
 * The container's Config as Docker shows it: the image's, with what its options
 * set instead.  @out: IMAGE_CONFIG_INIT.
 */
int engine_container_config(struct engine *e, const struct store_container *c,
			    struct image_config *out, struct error *err);

/* All its files as a tar, canonical, to the descriptor @out. */
int engine_export(struct engine *e, const char *container, int out, struct error *err);

/* What the container changed in its image's files, sorted by path: `diff`. */
int engine_diff(struct engine *e, const char *container, struct layer_change_list *out,
		struct error *err);

struct engine_commit {
	const char *container;
	const char *name;	/* NULL: none */
	const char *message;	/* NULL: none */
	const char *author;	/* NULL: the image's */
	struct strlist changes; /* -c: Dockerfile instructions */
	bool pause;		/* what runs in it is held meanwhile */
};

/*
 * A new image: the container's image, and its own files as one more layer.  A
 * file that changes while it is read is -ERR_CONFLICT.
 */
int engine_commit(struct engine *e, const struct engine_commit *req, struct digest *out_id,
		  struct error *err);

/* ---- volumes ---- */

struct engine_volume {
	const char *name;   /* NULL: a random one, and the volume is anonymous */
	const char *driver; /* NULL or "local" */
	const struct map *labels, *options; /* values are strings */
};

/* One that is there is left as it is.  *out_name is new. */
int engine_volume_create(struct engine *e, const struct engine_volume *req, char **out_name,
			 struct error *err);
/* By name. */
int engine_volumes(struct engine *e, struct store_volume_list *out, struct error *err);
/* -ERR_NOT_FOUND "get x: no such volume".  @out: STORE_VOLUME_INIT. */
int engine_volume(struct engine *e, const char *name, struct store_volume *out,
		  struct error *err);
/* -ERR_CONFLICT while a container has it, whatever @force says: that is for absent ones. */
int engine_volume_rm(struct engine *e, const char *name, bool force, struct error *err);
/* Docker's inspect object, new reference. */
json_t *engine_inspect_volume(struct engine *e, const struct store_volume *v);

/* ---- networks ---- */

struct engine_prune;

struct engine_network_create {
	const char *name;
	const char *driver, *ipam_driver, *scope; /* NULL: bridge, default, local */
	bool internal, attachable, ingress, ipv6, no_ipv4;
	struct strlist subnets; /* at most one of each family; what misses is chosen */
	struct strlist gateways, ranges;
	struct strlist auxiliary;		      /* NAME=address */
	struct strlist labels, options, ipam_options; /* KEY=value */
};

int engine_network_create(struct engine *e, const struct engine_network_create *req,
			  char **out_id, struct error *err);
/* All of them, each as Docker's inspect object: an array, new reference. */
int engine_networks(struct engine *e, json_t **out, struct error *err);
/* By name, id or its beginning.  -ERR_NOT_FOUND "network x not found". */
int engine_network(struct engine *e, const char *text, json_t **out, struct error *err);
int engine_network_rm(struct engine *e, const char *text, struct error *err);
struct container_network;

/*
 * Puts a container on a network, or takes it away; of a running one at once.  @how has the
 * network's name; TAKES it.
 */
int engine_network_connect(struct engine *e, const char *container,
			   struct container_network *how, struct error *err);
/* @force: as far as it goes. */
int engine_network_disconnect(struct engine *e, const char *container, const char *network,
			      bool force, struct error *err);
/* Those that nobody is on; with labels and age as engine_prune says. */
int engine_network_prune(struct engine *e, const struct engine_prune *how,
			 struct strlist *out_names, struct error *err);

/* ---- system ---- */

struct engine_info {
	struct store_counts counts;
	const char *root; /* borrowed from the engine */
	char *kernel;
	char *os;
	char *architecture;
	char *hostname;
	const char *cgroup_version; /* "1", "2" */
	uint64_t memory_bytes;
	unsigned cpus;
};

int engine_info(struct engine *e, struct engine_info *out, struct error *err);
void engine_info_clear(struct engine_info *i);

/* Rows, bytes, digests of blobs and layers.  -ERR_CORRUPT if a problem is left. */
int engine_check(struct engine *e, bool repair, const struct store_problem_sink *sink,
		 struct error *err);

/* ---- upkeep ---- */

/* What --filter says of images and containers. */
struct engine_prune {
	bool all;				   /* images that have names, too */
	int64_t before_ns;			   /* made before that; 0: whenever */
	const struct strlist *labels, *not_labels; /* KEY or KEY=VALUE; may be NULL */
};

/* All of how->labels, none of how->not_labels. */
bool engine_prune_labels(const struct map *labels, const struct engine_prune *how);

/*
 * Bytes are those that the file system has back.  While another command holds
 * the store they stay for the next removal: *out_busy (may be NULL).
 */
int engine_image_prune(struct engine *e, const struct engine_prune *how,
		       struct image_removed *out, uint64_t *out_bytes, bool *out_busy,
		       struct error *err);
/* Those that neither run nor are about to. */
int engine_container_prune(struct engine *e, const struct engine_prune *how,
			   struct strlist *out_ids, uint64_t *out_bytes, struct error *err);

/* Those that no container has: without a name, or with how->all any. */
int engine_volume_prune(struct engine *e, const struct engine_prune *how,
			struct strlist *out_names, uint64_t *out_bytes, struct error *err);

struct engine_cache_prune {
	bool all;	   /* what images use as well, and internal files */
	int64_t before_ns; /* last used before that; 0: whenever */
	/* Ceilings; with none everything goes. */
	uint64_t max_used; /* 0: none */
	uint64_t reserved; /* never below that; alone, it is the ceiling */
	uint64_t min_free; /* of the file system; 0: none */
	bool (*wanted)(void *data, const struct store_entry *entry); /* NULL: all */
	void *data;
};

struct engine_cache_pruned {
	struct store_entry_list entries; /* what went */
	uint64_t bytes;
	bool busy; /* the bytes of layers stay until the next removal */
};

int engine_builder_prune(struct engine *e, const struct engine_cache_prune *how,
			 struct engine_cache_pruned *out, struct error *err);
void engine_cache_pruned_clear(struct engine_cache_pruned *p);
/* All that the build cache holds, oldest first. */
int engine_builder_entries(struct engine *e, struct store_entry_list *out, struct error *err);
int engine_usage(struct engine *e, struct store_usage *out, struct error *err);
