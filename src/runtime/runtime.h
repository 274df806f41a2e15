/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime - containers: who runs what in them, and how they talk to us.
 *
 *   runtime_user       the ids behind USER or -u, looked up inside the root
 *   container_options  what `run` (or a build's RUN) asks for beyond the image
 *   runtime spec       image config + options + Docker's defaults: what an
 *                      executor needs, see oci.h
 *   stdio              the foreground: our descriptors on one side, the
 *                      container's pipes or pty on the other
 *
 * The order for a foreground container: runtime_stdio_new() (the terminal is
 * checked before anything is made), runtime_resolve_user(), runtime_make_spec(),
 * network_attach(), runtime_etc_binds(), sandbox_start() with
 * runtime_stdio_child(), runtime_stdio_run(), runtime_stdio_free().
 *
 * Behaviour is that of Docker 28 unless a line says otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/strlist.h"
#include "network/network.h"
#include "oci/oci.h"
#include "sandbox/sandbox.h"

/* ---- user ------------------------------------------------------------------------------ */

struct runtime_user {
	uid_t uid;
	gid_t gid;
	struct gid_list groups; /* supplementary ids; the first is @gid, as Docker has it */
	char *home;		/* owned; from passwd, "/" when there is no entry */
};

#define RUNTIME_USER_INIT ((struct runtime_user){0})

/*
 * Resolves "", "name", "uid", "name:group", "uid:gid" and mixtures with
 * /etc/passwd and /etc/group of the root at @rootfd (read as hostile files, up to
 * LIMIT_PASSWD_BYTES).  "" is root.  A name wins over a number; a number needs
 * no entry.  Groups that list the user are supplementary unless a group is
 * given.  Lines whose ids are not numbers do not count.  -ERR_NOT_FOUND
 * ("unable to find user foo: no matching entries in passwd file"),
 * -ERR_INVALID for ids above 2147483647.
 */
int runtime_resolve_user(int rootfd, const char *user_spec, struct runtime_user *out,
			 struct error *err);
/* Names and numbers of groups, behind @out->groups.  "unable to find group x: no matching …" */
int runtime_resolve_groups(int rootfd, const struct strlist *names, struct runtime_user *out,
			   struct error *err);
void runtime_user_clear(struct runtime_user *u);

static inline void runtime_user_auto(struct runtime_user *u)
{
	runtime_user_clear(u);
}

/* ---- options --------------------------------------------------------------------------- */

enum runtime_network {
	RUNTIME_NETWORK_DEFAULT = 0, /* a name space of its own, attached to the bridge */
	RUNTIME_NETWORK_NONE,	     /* a name space of its own with loopback only */
	RUNTIME_NETWORK_HOST,	     /* ours */
	RUNTIME_NETWORK_NAMED,	     /* those of .networks; not for builds */
	RUNTIME_NETWORK_CONTAINER,   /* the name space of container .network_name; likewise */
};

/* One network that a container is on, or will be. */
struct container_network {
	char *name;		   /* "bridge" is the default one */
	struct strlist aliases;	   /* --network-alias */
	struct strlist links;	   /* "NAME:ALIAS": --link */
	struct strlist link_local; /* --link-local-ip */
	char *ip, *ip6, *mac;	   /* as written; NULL: any */
	int64_t priority;	   /* the highest has the default route */
	struct map driver_options; /* values are owned strings */
};

#define CONTAINER_NETWORK_INIT \
	((struct container_network){.driver_options = MAP_INIT_FREE(free)})

struct container_network_list {
	struct container_network *items;
	size_t n;
	size_t cap;
};

enum container_mount_type {
	CONTAINER_MOUNT_BIND = 0,
	CONTAINER_MOUNT_VOLUME,
	CONTAINER_MOUNT_TMPFS,
};

struct container_mount {
	enum container_mount_type type;
	char *source; /* host path (absolute), volume name, or NULL: a volume without name */
	char *destination; /* absolute, clean */
	char *mode;	   /* -v's words behind the second colon, as written; NULL: none */
	bool readonly;
	bool must_exist;	/* a bind's source is not made when it is missing */
	bool no_copy;		/* a volume that is empty does not get the image's files */
	bool owned;		/* a volume that was made for this container, without a name */
	bool inherited;		/* by --volumes-from */
	bool shallow;		/* without what is mounted below the source */
	struct strlist options; /* "rslave"; of a tmpfs "size=1048576", "mode=1777" */
	struct map labels;	/* of a volume that has to be made; owned strings, as below */
	struct map driver_options; /* likewise: type, o, device */

	/* Of a volume, from the caller before runtime_make_spec(); not kept in the record. */
	char *directory;  /* what is bound; or the device of a file system */
	char *fs_type;	  /* NULL: bind */
	char *fs_options; /* with commas; NULL: none */
};

#define CONTAINER_MOUNT_INIT                                     \
	((struct container_mount){.labels = MAP_INIT_FREE(free), \
				  .driver_options = MAP_INIT_FREE(free)})

void container_mount_clear(struct container_mount *m);
/* What the record has of it; @to is overwritten. */
void container_mount_copy(const struct container_mount *from, struct container_mount *to);
/* "bind", "volume", "tmpfs". */
const char *container_mount_type_name(enum container_mount_type type);

struct container_mount_list {
	struct container_mount *items;
	size_t n;
	size_t cap;
};

enum container_restart {
	CONTAINER_RESTART_NO = 0,
	CONTAINER_RESTART_ON_FAILURE,
	CONTAINER_RESTART_ALWAYS,
	CONTAINER_RESTART_UNLESS_STOPPED,
};

struct container_options {
	char *id;   /* 64 hex digits; names hostname (first 12) and cgroup */
	char *name; /* not used here; part of the whole for those who keep it */

	struct strlist args;	   /* words behind the image: instead of CMD */
	bool has_entrypoint;	   /* --entrypoint was given: CMD of the image is dropped too */
	struct strlist entrypoint; /* {""} or {}: none */
	struct strlist env;	   /* NAME=value, or NAME: not in the container */
	char *workdir;		   /* NULL: the image's */
	char *user;		   /* NULL: the image's (see runtime_user_spec()) */
	char *hostname;		   /* NULL: from @id, or the host's with its network */
	char *domainname;
	struct map labels; /* values are owned strings; not used here */
	char *stop_signal; /* NULL: the image's; not used here */
	/* The rest of this group is for those who keep the container, and not used here. */
	bool has_stop_timeout;
	int64_t stop_timeout; /* seconds, if has_stop_timeout; -1: for ever */
	bool remove;	      /* --rm */
	enum container_restart restart;
	int64_t restart_max;		 /* of ON_FAILURE; 0: no limit */
	struct image_healthcheck health; /* what is set replaces the image's */
	char *log_driver;		 /* NULL: "json-file"; or "none" */
	struct map log_options;		 /* values are owned strings */
	struct strlist attach;		 /* "stdin", "stdout", "stderr": -a */
	struct strlist expose;		 /* "80/tcp" */
	struct map annotations;
	struct strlist security; /* --security-opt as written, for inspection */
	char *runtime;		 /* NULL: the embedded executor */
	char *detach_keys;	 /* NULL: the default */

	bool tty;
	bool interactive;
	bool init;
	bool privileged;
	bool read_only;
	bool no_new_privileges;
	char *seccomp;	 /* NULL: Docker's profile; "unconfined"; or the text of a profile */
	char *apparmor;	 /* NULL: none; acts where the kernel has AppArmor */
	bool bare_paths; /* systempaths=unconfined: nothing is masked or read-only */
	bool writable_cgroups; /* /sys/fs/cgroup, where it shows the container's own group */

	struct strlist cap_add;
	struct strlist cap_drop;
	struct strlist group_add; /* --group-add; see runtime_resolve_groups() */
	struct rlimit_list ulimits;
	struct map sysctl; /* values are owned strings */

	struct strlist tmpfs; /* "/path" or "/path:size=1m,mode=700" */
	struct container_mount_list mounts;
	struct strlist volumes_from; /* as written; not used here */
	uint64_t shm_size;	     /* bytes; 0: 64 MiB */

	uint64_t memory; /* bytes; 0: no limit, as below */
	uint64_t memory_reservation;
	int64_t memory_swap; /* memory + swap; 0: twice the memory; -1: no limit */
	int64_t nano_cpus;   /* billionths of a CPU */
	uint64_t cpu_shares;
	int64_t cpu_quota;
	uint64_t cpu_period;
	char *cpuset_cpus;
	char *cpuset_mems;
	int64_t pids_limit; /* 0: none; -1: none any more */
	int oom_score_adj;
	bool oom_kill_disable;
	bool has_swappiness;
	int64_t swappiness;
	int64_t cpu_rt_period; /* µs, as the next */
	int64_t cpu_rt_runtime;
	int64_t blkio_weight;
	struct strlist blkio[BLKIO_COUNT]; /* "/dev/sda:100" */

	/* NULL: one's own; "host"; "container:ID"; ipc also "none", "private", "shareable" */
	char *pid_mode, *ipc_mode, *uts_mode, *userns_mode, *cgroupns_mode;
	char *cgroup_parent;	     /* NULL: /stave */
	struct strlist devices;	     /* "host[:container[:rwm]]": --device */
	struct strlist device_rules; /* "c 13:* rwm": --device-cgroup-rule */
	struct strlist cdi;	     /* "vendor.com/class=name": --device */
	struct strlist gpus;	     /* "all", "device=0": --gpus */
	char *volume_driver;	     /* of volumes without one of their own; not used here */

	/*
	 * What it was made for: .network_name is that of a NAMED network, or of the container.
	 * With DEFAULT and NAMED it is on .networks, which may have changed since then: by
	 * connect and disconnect.  One of NONE has a list, too, once it was disconnected.
	 */
	enum runtime_network network;
	char *network_name;
	struct container_network_list networks;
	struct strlist publish; /* -p as written, see network_ports_parse(); not used here */
	bool publish_all;	/* -P: the image's ports, to any that are free; likewise */
	struct strlist extra_hosts; /* "name:ip" */
	struct strlist link_hosts;  /* lines of /etc/hosts for --link; not kept */
	struct strlist dns;
	struct strlist dns_search;
	struct strlist dns_options;
};

#define CONTAINER_OPTIONS_INIT                                          \
	((struct container_options){.labels = MAP_INIT_FREE(free),      \
				    .sysctl = MAP_INIT_FREE(free),      \
				    .log_options = MAP_INIT_FREE(free), \
				    .annotations = MAP_INIT_FREE(free)})

void container_options_clear(struct container_options *o);

static inline void container_options_auto(struct container_options *o)
{
	container_options_clear(o);
}

/*
 * "host:container[:ro|rw,…]", "volume:container", "/container": one -v, at the
 * end of @o->mounts.  -ERR_INVALID with Docker's words.
 */
int container_options_add_volume(struct container_options *o, const char *text,
				 struct error *err);
/* "type=bind,src=/host,dst=/container,readonly": one --mount. */
int container_options_add_mount(struct container_options *o, const char *text,
				struct error *err);
/* "nofile=1024[:2048]": one --ulimit. */
int container_options_add_ulimit(struct container_options *o, const char *text,
				 struct error *err);
/* "no", "always", "unless-stopped", "on-failure[:3]": --restart, with Docker's words. */
int container_options_set_restart(struct container_options *o, const char *text,
				  struct error *err);
/* "no", "on-failure" …: the name alone. */
const char *container_restart_name(enum container_restart restart);
/* "/dev/fuse[:/dev/x[:rwm]]", or the name of a CDI device: one --device. */
int container_options_add_device(struct container_options *o, const char *text,
				 struct error *err);
/* "c 13:* rwm": one --device-cgroup-rule. */
int container_options_add_device_rule(struct container_options *o, const char *text,
				      struct error *err);
/* "all", "2", "device=0": one --gpus. */
int container_options_add_gpus(struct container_options *o, const char *text,
			       struct error *err);
/* Both as `inspect` shows them: HostConfig's Devices and DeviceRequests.  New references. */
json_t *container_options_devices(const struct container_options *o);
json_t *container_options_requests(const struct container_options *o);
/* "/dev/sda:100", "/dev/sda:10mb": one --blkio-weight-device, --device-read-bps … */
int container_options_add_blkio(struct container_options *o, enum blkio_kind kind,
				const char *text, struct error *err);
/* Takes out what this machine's cgroups cannot do, with a line in @warnings, as Docker does. */
void container_options_discard(struct container_options *o, struct strlist *warnings);
/* The same; are the limits that stay possible?  What is wrong is -ERR_INVALID. */
int container_options_settle(struct container_options *o, struct strlist *warnings,
			     struct error *err);
/*
 * One --network: "none", "host", "default", "bridge", "container:x", a name, or
 * "name=NAME,alias=…,ip=…,ip6=…,mac-address=…,link-local-ip=…,gw-priority=…,driver-opt=K=V".
 * It goes to the end of @o->networks, whatever it is.
 */
int container_options_add_network(struct container_options *o, const char *text,
				  struct error *err);
/* The options without a network's name: they are for the first one.  Borrowed. */
struct container_network_flags {
	const struct strlist *aliases, *links, *link_local;
	const char *ip, *ip6, *mac;
};
/*
 * After all --network: says what @o->networks are together, with Docker's words for what
 * does not go together.
 */
int container_options_set_networks(struct container_options *o,
				   const struct container_network_flags *flags,
				   struct error *err);
/* "NAME[:ALIAS]" becomes "NAME:ALIAS".  -ERR_INVALID. */
int container_network_add_link(struct strlist *links, const char *text, struct error *err);
/* "KEY=VALUE": --driver-opt. */
int container_network_add_option(struct container_network *n, const char *text,
				 struct error *err);
/* 02:42:… in one of the usual forms; -ERR_INVALID "x is not a valid mac address". */
int container_network_mac(const char *text, uint8_t out[6], struct error *err);
void container_network_clear(struct container_network *n);
/* That of this name; NULL: it is not on it. */
struct container_network *container_network_find(const struct container_options *o,
						 const char *name);
/* Is it on a network that a user made, where containers find each other by names? */
bool runtime_has_names(const struct container_options *o);
/* The names of its own that it has in /etc/hosts. */
void runtime_hosts_names(const struct container_options *o, struct buf *out);

/* "none", "host", "default", "bridge", "": --network. */
int runtime_network_parse(const char *text, enum runtime_network *out, struct error *err);

/*
 * All options as a JSON object (new reference), and back: what is kept of a
 * container, so that it can be started again as it was made.
 */
json_t *container_options_encode(const struct container_options *o);
/* Into a fresh CONTAINER_OPTIONS_INIT.  -ERR_INVALID names the field. */
int container_options_decode(const json_t *j, struct container_options *out, struct error *err);
/*
 * The image's config with what the options set instead: what `inspect` shows
 * as a container's Config and `commit` begins with.
 */
void runtime_container_config(const struct image_config *image,
			      const struct container_options *o, struct image_config *out);

/* ---- spec ------------------------------------------------------------------------------ */

/* What to give to runtime_resolve_user(): the option, else the image's. Borrowed. */
const char *runtime_user_spec(const struct image_config *cfg,
			      const struct container_options *o);

/*
 * The words to execute: entrypoint, then command, by Docker's rules for what
 * overrides what.  -ERR_INVALID "no command specified".
 */
int runtime_make_args(const struct image_config *cfg, const struct container_options *o,
		      struct strlist *out, struct error *err);

/*
 * Fills @out (a fresh RUNTIME_SPEC_INIT) for an image (@cfg NULL: none) and
 * options.  Volumes must have been given their directories before.  Nothing is read from the
 * root: what that needs is in @u.  The environment is PATH, HOSTNAME, TERM=xterm with a tty,
 * the options', the image's, HOME.  Limits are checked as Docker does
 * ("Minimum memory limit allowed is 6MB").  The cgroup is /stave/ID.  Of the modes of
 * name spaces "container:…" is the caller's affair.
 */
int runtime_make_spec(const struct image_config *cfg, const struct container_options *o,
		      const struct runtime_user *u, struct runtime_spec *out,
		      struct error *err);

/*
 * The same for a container that runs and has its mounts: they are not in it.  Without
 * @devices those are not looked at, which may be gone from the host by now.
 */
int runtime_make_spec_running(const struct image_config *cfg, const struct container_options *o,
			      const struct runtime_user *u, bool devices,
			      struct runtime_spec *out, struct error *err);

/* The name in the UTS name space: option, id, or the host's with --network=host. Appends. */
void runtime_hostname(const struct container_options *o, struct buf *out);

/*
 * Writes resolv.conf, hosts and hostname into the directory @dir and puts a
 * bind of each (but where a mount of the user's has the place) into @binds,
 * which has room for RUNTIME_ETC_BINDS.  @e: NULL without a bridge.
 */
#define RUNTIME_ETC_BINDS 3
int runtime_etc_binds(int dir, const struct container_options *o,
		      const struct network_endpoint *e, struct sandbox_bind *binds,
		      size_t *out_n, struct error *err);
/* The same binds of files that are in @dir already: another container's. */
int runtime_etc_share(int dir, const struct container_options *o, struct sandbox_bind *binds,
		      size_t *out_n, struct error *err);
/* Writes that resolv.conf again: the container has come to networks with names. */
int runtime_etc_resolv(int dir, const struct container_options *o, struct error *err);

/* ---- stdio ----------------------------------------------------------------------------- */

/* The keys that leave a terminal without ending what runs there. */
#define RUNTIME_KEYS_MAX 16u

struct runtime_keys {
	unsigned char keys[RUNTIME_KEYS_MAX];
	size_t n;	/* 0: none */
	size_t matched; /* of them so far */
};

/* "ctrl-p,ctrl-q", "a,b"; NULL and "" are the former. */
int runtime_keys_parse(const char *text, struct runtime_keys *out, struct error *err);
/* Appends what is no part of the keys to @out.  True when all keys were pressed. */
bool runtime_keys_filter(struct runtime_keys *k, const char *data, size_t len, struct buf *out);

struct runtime_stdio;

struct runtime_stdio_options {
	bool tty;	  /* -t: the container has a pty */
	bool interactive; /* -i: our input goes to it */
	int in;		  /* ours, borrowed: 0, 1, 2 */
	int out;
	int err;
	struct runtime_keys keys; /* with a tty and input; none: nothing detaches */
};

/*
 * Makes pipes (none with a tty) and blocks the signals that are passed on, so
 * that none is lost while the container is made; runtime_stdio_free() gives
 * them back.  -ERR_INVALID when -i -t and the input is no terminal.
 */
int runtime_stdio_new(const struct runtime_stdio_options *o, struct runtime_stdio **out,
		      struct error *err);

/* For sandbox_options.stdio; NULL with a tty. */
const int *runtime_stdio_child(const struct runtime_stdio *s);

/*
 * runtime_stdio_run - the foreground, until the container has ended
 *
 * Call once after sandbox_start().  Copies input to the container (end of
 * file closes its input) and its output to ours: all of it, also when the
 * reader is slow; when our reader is gone the container's writes fail too.
 * With -i -t our terminal is raw meanwhile and is given back on every way
 * out.  SIGWINCH sets the size of the pty.  HUP, INT, QUIT, TERM, USR1, USR2
 * and the like go to the container's first process; the third INT or TERM kills it.
 * Waits for it with sandbox_wait(): @sb is used up.  -ERR_SYSTEM when output could
 * not be written (a full disk); the exit code is set all the same.
 */
int runtime_stdio_run(struct runtime_stdio *s, struct sandbox *sb,
		      const struct sandbox_options *so, int *out_exit_code, struct error *err);
/* Did the user leave by the keys?  Then what runs goes on, and @sb is still the caller's. */
bool runtime_stdio_detached(const struct runtime_stdio *s);

/* The size of our terminal into the spec, so that the first program sees it already. */
void runtime_stdio_console(const struct runtime_stdio *s, struct process_config *p);

/* The user's terminal, for those who have no runtime_stdio; given back on every way out. */
bool runtime_terminal_raw(int fd);
void runtime_terminal_restore(void);
bool runtime_terminal_size(int fd, unsigned *rows, unsigned *columns);

/* NULL is fine. */
void runtime_stdio_free(struct runtime_stdio *s);

static inline void runtime_stdio_auto(struct runtime_stdio **s)
{
	runtime_stdio_free(*s);
}
