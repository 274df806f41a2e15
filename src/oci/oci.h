/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci - the values of the container specifications, and their codecs.
 *
 *   reference       a name of an image: domain/path:tag@digest
 *   platform        os/architecture/variant
 *   descriptor      media type + digest + size of one blob
 *   manifest        one image: a config and its layers, by descriptor
 *   index           several manifests, one for each platform
 *   image config    what a container of the image starts with, and its history
 *   runtime spec    one container for an executor ("config.json")
 *   diff_id         digest of a layer's uncompressed tar stream
 *
 * Sources: OCI image-spec v1.1, distribution/reference grammar, Docker image
 * spec v1.3 (health check, ONBUILD, SHELL), OCI runtime-spec v1.1.
 *
 * Values own what they hold.  Start from X_INIT, end with X_clear() (or
 * AUTO(X)); a cleared value may be used again.  Decoders expect a fresh value
 * and leave a cleared one behind when they fail.  Encoders are pure functions
 * of the value: the same value gives the same bytes.  Nothing here blocks.
 * A document that came from outside and has a digest is never encoded again:
 * keep its bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/strlist.h"

/* ---- reference ------------------------------------------------------------------------- */

#define REFERENCE_DEFAULT_DOMAIN "docker.io"
#define REFERENCE_DEFAULT_TAG	 "latest"
#define REFERENCE_SCRATCH	 "scratch" /* no image: the empty start of a FROM */

struct reference {
	char *domain;	      /* "docker.io", "localhost", "host:5000" */
	char *path;	      /* "library/alpine" */
	char *tag;	      /* NULL only when there is a digest and no tag was given */
	struct digest digest; /* valid if has_digest */
	bool has_digest;
	bool tag_implied; /* no tag and no digest was written: tag is "latest" */
};

#define REFERENCE_INIT ((struct reference){0})

/*
 * Parses and normalises as Docker does: "alpine" is docker.io/library/alpine:latest.  The
 * messages are Docker's ("invalid reference format"); the caller says where the name was read.
 */
int reference_parse(const char *text, struct reference *out, struct error *err);
/* A tag alone. */
bool reference_tag_valid(const char *tag);
/* All append to @out.  "docker.io/library/alpine:latest[@sha256:…]", the key of a name. */
void reference_normal(const struct reference *ref, struct buf *out);
/* "docker.io/library/alpine". */
void reference_normal_name(const struct reference *ref, struct buf *out);
/* "alpine:latest", what people see. */
void reference_familiar(const struct reference *ref, struct buf *out);
/* "alpine", the column REPOSITORY. */
void reference_familiar_name(const struct reference *ref, struct buf *out);
void reference_copy(const struct reference *from, struct reference *to);
void reference_clear(struct reference *ref);

static inline void reference_auto(struct reference *ref)
{
	reference_clear(ref);
}

/* ---- platform -------------------------------------------------------------------------- */

struct platform {
	char *os;	    /* "linux" */
	char *architecture; /* GOARCH: "amd64", "arm64", "arm" … */
	char *variant;	    /* "v7", NULL if none */
	char *os_version;   /* NULL if none */
};

#define PLATFORM_INIT ((struct platform){0})

/* "linux/amd64", "linux/arm64/v8", "arm/v7", "amd64", "linux"; normalised as containerd does.
 */
int platform_parse(const char *text, struct platform *out, struct error *err);
/* This machine: uname(2). */
void platform_host(struct platform *out);
/* "linux/arm64/v8" without a variant that goes without saying; appends. */
void platform_format(const struct platform *p, struct buf *out);
/* After normalisation: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64. */
bool platform_eq(const struct platform *a, const struct platform *b);
/*
 * How well a machine of platform @want runs @have: 0 not at all, higher is
 * better (the same beats an older variant: arm/v7 runs arm/v6).
 */
unsigned platform_match(const struct platform *want, const struct platform *have);
void platform_copy(const struct platform *from, struct platform *to);
void platform_clear(struct platform *p);

static inline void platform_auto(struct platform *p)
{
	platform_clear(p);
}

/* ---- media types, descriptor, manifest, index ------------------------------------------- */

#define MEDIA_OCI_INDEX		"application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG	"application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER		"application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP	"application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD	"application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_INDEX	"application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST	"application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_MANIFEST1	"application/vnd.docker.distribution.manifest.v1+prettyjws"
#define MEDIA_DOCKER_CONFIG	"application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER	"application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_FOREIGN	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

enum media_kind {
	MEDIA_KIND_UNKNOWN = 0,
	MEDIA_KIND_INDEX,
	MEDIA_KIND_MANIFEST,
	MEDIA_KIND_CONFIG,
	MEDIA_KIND_LAYER, /* any compression; non-distributable ones too */
};

enum media_kind media_kind(const char *media_type);
/* Which document these bytes are, by their mediaType, or by their shape if it is absent. */
enum media_kind media_kind_of(const char *data, size_t len);

struct descriptor {
	char *media_type;
	struct digest digest;
	uint64_t size;
	struct map annotations; /* values are owned strings */
	struct platform platform;
	bool has_platform;
};

#define DESCRIPTOR_INIT ((struct descriptor){.annotations = MAP_INIT_FREE(free)})

struct descriptor_list {
	struct descriptor *items;
	size_t n;
	size_t cap;
};

struct manifest {
	char *media_type; /* as written, else by shape; NULL encodes MEDIA_OCI_MANIFEST */
	char *artifact_type;
	struct descriptor config;
	struct descriptor_list layers; /* at most LIMIT_LAYERS */
	struct map annotations;
};

#define MANIFEST_INIT \
	((struct manifest){.config = DESCRIPTOR_INIT, .annotations = MAP_INIT_FREE(free)})

struct index {
	char *media_type; /* NULL encodes MEDIA_OCI_INDEX */
	struct descriptor_list manifests;
	struct map annotations;
};

#define INDEX_INIT ((struct index){.annotations = MAP_INIT_FREE(free)})

void descriptor_set(struct descriptor *d, const char *media_type, const struct digest *digest,
		    uint64_t size);
/* An initialised descriptor at the end of the list. */
struct descriptor *descriptor_list_add(struct descriptor_list *l);
void descriptor_copy(const struct descriptor *from, struct descriptor *to);
void descriptor_clear(struct descriptor *d);

void manifest_encode(const struct manifest *m, struct buf *out);
int manifest_decode(const char *data, size_t len, struct manifest *out, struct error *err);
void manifest_clear(struct manifest *m);

void index_encode(const struct index *x, struct buf *out);
int index_decode(const char *data, size_t len, struct index *out, struct error *err);
void index_clear(struct index *x);
/*
 * The manifest of @x that suits @want best; borrowed, NULL if none.  Entries
 * of unknown/unknown (attestations) never match; one without a platform
 * matches worst.
 */
const struct descriptor *index_select(const struct index *x, const struct platform *want);

static inline void descriptor_auto(struct descriptor *d)
{
	descriptor_clear(d);
}

static inline void manifest_auto(struct manifest *m)
{
	manifest_clear(m);
}

static inline void index_auto(struct index *x)
{
	index_clear(x);
}

/* ---- image config ------------------------------------------------------------------------ */

struct image_healthcheck {
	bool present;
	struct strlist test; /* {"NONE"}, {"CMD", …}, {"CMD-SHELL", text}; empty inherits */
	int64_t interval;    /* ns, 0: default, as all durations here */
	int64_t timeout;
	int64_t start_period;
	int64_t start_interval;
	int64_t retries;
};

struct history {
	int64_t created; /* ns since 1970 if has_created */
	bool has_created;
	char *created_by; /* each NULL if absent */
	char *author;
	char *comment;
	bool empty_layer;
};

struct history_list {
	struct history *items;
	size_t n;
	size_t cap;
};

struct digest_list {
	struct digest *items;
	size_t n;
	size_t cap;
};

/* Strings are NULL if absent; "" is written as absent, as Go's omitempty does. */
struct image_config {
	int64_t created; /* ns since 1970 if has_created */
	bool has_created;
	char *author;
	struct platform platform;

	char *hostname;
	char *domainname;
	char *user;
	char *working_dir;
	char *stop_signal;
	struct strlist exposed_ports; /* a set: "80/tcp", sorted by the encoder */
	struct strlist volumes;	      /* a set */
	struct strlist env;	      /* NAME=value, order kept */
	struct strlist entrypoint;
	bool has_entrypoint; /* [] was set, which is not null */
	struct strlist cmd;
	bool has_cmd;
	struct strlist on_build;
	struct strlist shell;
	struct map labels; /* values are owned strings; written sorted by key */
	struct image_healthcheck healthcheck;
	bool args_escaped;

	char *build_cache; /* BuildKit's inline cache; written, never read: a cache of this
			      image */
	struct digest_list diff_ids; /* at most LIMIT_LAYERS */
	struct history_list history; /* at most LIMIT_HISTORY */
};

#define IMAGE_CONFIG_INIT ((struct image_config){.labels = MAP_INIT_FREE(free)})

/* The keys and their order are BuildKit's. */
void image_config_encode(const struct image_config *cfg, struct buf *out);
/* Only the inner "config" object in Docker's inspect shape (all keys, null where empty). New.
 */
json_t *image_config_inspect(const struct image_config *cfg);
int image_config_decode(const char *data, size_t len, struct image_config *out,
			struct error *err);
void image_config_copy(const struct image_config *from, struct image_config *to);
void image_config_clear(struct image_config *cfg);
void image_config_label(struct image_config *cfg, const char *key, const char *value);
/* Adds to a set (exposed_ports, volumes) unless it is there. */
void image_config_add_set(struct strlist *set, const char *member);
/* Appends an initialised entry. */
struct history *image_config_add_history(struct image_config *cfg);
void image_config_add_diff_id(struct image_config *cfg, const struct digest *diff_id);
/*
 * chain_id of the first @n layers (image-spec config.md, "Layer ChainID"); @n >= 1.
 */
void chain_id_of(const struct digest *diff_ids, size_t n, struct digest *out);

static inline void image_config_auto(struct image_config *cfg)
{
	image_config_clear(cfg);
}

/* ---- capabilities ------------------------------------------------------------------------ */

#define CAPABILITY_COUNT   41 /* CAP_CHOWN … CAP_CHECKPOINT_RESTORE */
#define CAPABILITY_ALL	   ((UINT64_C(1) << CAPABILITY_COUNT) - 1)
#define CAPABILITY_DEFAULT UINT64_C(0xa80425fb) /* Docker's fourteen */

/* "CAP_CHOWN"; NULL when @bit is not known. */
const char *capability_name(unsigned bit);
/* With or without CAP_, any case; "ALL" gives CAPABILITY_ALL. */
int capability_parse(const char *text, uint64_t *out_mask, struct error *err);
/* Docker's --cap-add and --cap-drop applied to @base: ALL first, then the single names. */
int capability_apply(uint64_t base, const struct strlist *add, const struct strlist *drop,
		     uint64_t *out_mask, struct error *err);

/* ---- seccomp ----------------------------------------------------------------------------- */

enum seccomp_action {
	SECCOMP_ACTION_ALLOW = 1,
	SECCOMP_ACTION_ERRNO,
	SECCOMP_ACTION_KILL_THREAD,
	SECCOMP_ACTION_KILL_PROCESS,
	SECCOMP_ACTION_TRAP,
	SECCOMP_ACTION_TRACE,
	SECCOMP_ACTION_LOG,
};

enum seccomp_op {
	SECCOMP_OP_NE = 1,
	SECCOMP_OP_LT,
	SECCOMP_OP_LE,
	SECCOMP_OP_EQ,
	SECCOMP_OP_GE,
	SECCOMP_OP_GT,
	SECCOMP_OP_MASKED_EQ, /* (argument & value) == value_two */
};

struct seccomp_arg {
	unsigned index; /* 0 … 5 */
	enum seccomp_op op;
	uint64_t value;
	uint64_t value_two;
};

#define SECCOMP_ARGS_MAX 6

/* The names get the action when all of the arguments match. */
struct seccomp_rule {
	struct strlist names; /* a name that the architecture lacks is passed over */
	enum seccomp_action action;
	unsigned errno_ret; /* for ERRNO; 0 means EPERM */
	struct seccomp_arg args[SECCOMP_ARGS_MAX];
	size_t nargs;
};

struct seccomp_profile {
	bool present; /* false: unconfined */
	enum seccomp_action default_action;
	unsigned default_errno;	      /* 0 means EPERM */
	struct strlist architectures; /* "SCMP_ARCH_X86_64" …; empty: the native one */
	struct strlist flags;
	struct seccomp_rule *items;
	size_t n;
	size_t cap;
};

/* Docker's default profile for a container that holds @caps on this machine's architecture. */
void seccomp_profile_default(uint64_t caps, struct seccomp_profile *out);
/*
 * A profile in Docker's JSON (includes/excludes by capability, architecture and kernel are
 * resolved) or in the runtime specification's.
 */
int seccomp_profile_parse(const char *data, size_t len, uint64_t caps,
			  struct seccomp_profile *out, struct error *err);
void seccomp_profile_clear(struct seccomp_profile *p);

static inline void seccomp_profile_auto(struct seccomp_profile *p)
{
	seccomp_profile_clear(p);
}

/* ---- runtime spec ------------------------------------------------------------------------ */

#define RUNTIME_SPEC_VERSION "1.1.0"

struct rlimit_spec {
	char *type; /* "RLIMIT_NOFILE" */
	uint64_t hard;
	uint64_t soft;
};

struct rlimit_list {
	struct rlimit_spec *items;
	size_t n;
	size_t cap;
};

struct gid_list {
	gid_t *items;
	size_t n;
	size_t cap;
};

struct process_config {
	bool terminal;
	unsigned console_width; /* 0: not set */
	unsigned console_height;
	uid_t uid;
	gid_t gid;
	mode_t umask; /* if has_umask */
	bool has_umask;
	struct gid_list additional_gids;
	struct strlist args;
	struct strlist env;
	char *cwd;
	uint64_t bounding; /* capability masks; inheritable and ambient are empty */
	uint64_t effective;
	uint64_t permitted;
	struct rlimit_list rlimits;
	bool no_new_privileges;
	int oom_score_adj; /* if has_oom_score_adj */
	bool has_oom_score_adj;
	char *apparmor_profile; /* NULL: none */
	char *selinux_label;	/* NULL: none */
};

struct mount_spec {
	char *destination;
	char *type;   /* "bind", "tmpfs", "proc" …; NULL if absent */
	char *source; /* NULL if absent */
	struct strlist options;
};

struct mount_list {
	struct mount_spec *items;
	size_t n;
	size_t cap;
};

enum namespace_type {
	NAMESPACE_MOUNT = 0,
	NAMESPACE_PID,
	NAMESPACE_UTS,
	NAMESPACE_IPC,
	NAMESPACE_NETWORK,
	NAMESPACE_USER,
	NAMESPACE_CGROUP,
	NAMESPACE_TIME,
	NAMESPACE_COUNT,
};

struct namespace_spec {
	bool present; /* false: the runtime's own name space is shared */
	char *path;   /* NULL: a new one; otherwise one to join */
};

struct id_mapping {
	uint32_t container_id;
	uint32_t host_id;
	uint32_t size;
};

struct id_mapping_list {
	struct id_mapping *items;
	size_t n;
	size_t cap;
};

struct device_spec {
	char *path;
	char type; /* 'c', 'b', 'u', 'p' */
	int64_t major;
	int64_t minor;
	mode_t file_mode; /* permission bits, if has_file_mode */
	bool has_file_mode;
	uid_t uid; /* 0 unless given */
	gid_t gid;
};

struct device_list {
	struct device_spec *items;
	size_t n;
	size_t cap;
};

struct device_rule {
	bool allow;
	char type;	/* 'a', 'b', 'c' */
	int64_t major;	/* -1: any */
	int64_t minor;	/* -1: any */
	char access[4]; /* some of "rwm"; empty: all */
};

struct device_rule_list {
	struct device_rule *items;
	size_t n;
	size_t cap;
};

/* What can be said of one block device. */
enum blkio_kind {
	BLKIO_WEIGHT = 0, /* 10 … 1000 */
	BLKIO_READ_BPS,	  /* bytes a second, as the next */
	BLKIO_WRITE_BPS,
	BLKIO_READ_IOPS, /* operations a second, as the next */
	BLKIO_WRITE_IOPS,
	BLKIO_COUNT,
};

struct blkio_value {
	int64_t major;
	int64_t minor;
	uint64_t value;
};

struct blkio_list {
	struct blkio_value *items;
	size_t n;
	size_t cap;
};

/* A limit of 0 is "not set", except where has_x tells; -1 is "unlimited" where Docker has it.
 */
struct resources_spec {
	struct device_rule_list devices;
	int64_t memory_limit; /* bytes */
	int64_t memory_reservation;
	int64_t memory_swap; /* memory + swap; -1: unlimited */
	bool has_swappiness;
	uint64_t swappiness; /* 0 … 100, if has_swappiness */
	bool disable_oom_killer;
	uint64_t cpu_shares;
	int64_t cpu_quota;   /* µs per period */
	uint64_t cpu_period; /* µs */
	int64_t rt_runtime;  /* µs per period, of real-time processes */
	uint64_t rt_period;  /* µs */
	char *cpuset_cpus;
	char *cpuset_mems;
	int64_t pids_limit; /* -1: unlimited */
	uint16_t blkio_weight;
	struct blkio_list blkio[BLKIO_COUNT];
};

/* "weightDevice", "throttleReadBpsDevice" … as the specification writes them. */
const char *blkio_name(enum blkio_kind kind);
/* Is there a limit, so that a cgroup is needed?  Device rules are none. */
bool resources_spec_limit(const struct resources_spec *r);
/* Is there something that needs the controller of block devices? */
bool resources_spec_limit_blkio(const struct resources_spec *r);

/* Programs to be run, in the order of a container's life. */
enum hook_kind {
	HOOK_PRESTART = 0, /* as the next; deprecated */
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_COUNT,
};

struct hook_spec {
	char *path;	     /* absolute */
	struct strlist args; /* with the program's name; empty: its path */
	struct strlist env;  /* all of it */
	uint32_t timeout;    /* seconds; 0: none */
};

struct hook_list {
	struct hook_spec *items;
	size_t n;
	size_t cap;
};

struct runtime_spec {
	bool has_process;
	struct process_config process;
	char *root_path; /* absolute, or relative to the bundle */
	bool root_readonly;
	char *hostname;
	char *domainname;
	struct mount_list mounts;
	struct map annotations; /* values are owned strings */
	struct hook_list hooks[HOOK_COUNT];

	struct namespace_spec namespaces[NAMESPACE_COUNT];
	struct id_mapping_list uid_mappings;
	struct id_mapping_list gid_mappings;
	struct device_list devices;
	struct resources_spec resources;
	char *cgroups_path;
	struct strlist masked_paths;
	struct strlist readonly_paths;
	char *rootfs_propagation; /* "private", "rslave" …; NULL: the runtime's default */
	struct map sysctl;	  /* values are owned strings */
	struct seccomp_profile seccomp;
};

#define RUNTIME_SPEC_INIT                                          \
	((struct runtime_spec){.annotations = MAP_INIT_FREE(free), \
			       .sysctl = MAP_INIT_FREE(free)})

/* "createRuntime" …; HOOK_COUNT: there is no such kind. */
const char *hook_name(enum hook_kind kind);
enum hook_kind hook_parse(const char *name);
/* One of the specification's (and CDI's) objects, at the end of its list. */
int runtime_spec_add_hook(struct runtime_spec *spec, enum hook_kind kind, const json_t *hook,
			  struct error *err);
void hook_lists_clear(struct hook_list lists[HOOK_COUNT]);

/* "mount", "pid" … as the specification writes them. */
const char *namespace_name(enum namespace_type type);
/* The clone(2) flag, CLONE_NEWx. */
int namespace_clone_flag(enum namespace_type type);

/*
 * Docker's defaults into a fresh spec: capabilities, mounts, name spaces
 * (mount, pid, uts, ipc, network, cgroup), masked and read-only paths,
 * devices and their rules; cwd "/", no arguments, no environment, no seccomp
 * (see seccomp_profile_default()), root_path "rootfs".
 */
void runtime_spec_defaults(struct runtime_spec *spec);
/* --privileged: all capabilities, no masks, sysfs and cgroup writable, every device allowed. */
void runtime_spec_privileged(struct runtime_spec *spec);
/* The mount there is "rw" instead of "ro". */
void runtime_spec_writable(struct runtime_spec *spec, const char *destination);

/* Each appends an initialised element, with copies of the strings (NULL stays NULL). */
struct mount_spec *runtime_spec_add_mount(struct runtime_spec *spec, const char *destination,
					  const char *type, const char *source,
					  const char *options /* comma separated */);
/* The mount at @destination, NULL if none. */
struct mount_spec *runtime_spec_find_mount(struct runtime_spec *spec, const char *destination);
void runtime_spec_remove_mount(struct runtime_spec *spec, const char *destination);
void runtime_spec_add_device(struct runtime_spec *spec, const char *path, char type,
			     int64_t major, int64_t minor, mode_t mode);
void runtime_spec_add_device_rule(struct runtime_spec *spec, bool allow, char type,
				  int64_t major, int64_t minor, const char *access);
void resources_spec_add_blkio(struct resources_spec *r, enum blkio_kind kind, int64_t major,
			      int64_t minor, uint64_t value);
void process_config_add_rlimit(struct process_config *p, const char *type, uint64_t soft,
			       uint64_t hard);
void process_config_add_gid(struct process_config *p, gid_t gid);

void runtime_spec_encode(const struct runtime_spec *spec, struct buf *out);
int runtime_spec_decode(const char *data, size_t len, struct runtime_spec *out,
			struct error *err);
void runtime_spec_clear(struct runtime_spec *spec);

static inline void runtime_spec_auto(struct runtime_spec *spec)
{
	runtime_spec_clear(spec);
}
