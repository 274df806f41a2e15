/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_run.h"
#include "cli/cmd_run_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_transfer.h"

#include "base/mem.h"
#include "base/process.h"

#include "base/banned.h"

struct run_options {
	bool remove, interactive, tty, detach, read_only, init, privileged, quiet, publish_all;
	struct strlist env, env_files, volumes, mounts, volumes_from, tmpfs, cap_add, cap_drop,
		hosts, dns, dns_search, dns_options, ulimits, sysctls, security, groups, labels,
		publish, aliases, storage, networks, links, link_local;
	char *workdir, *user, *entrypoint, *name, *hostname, *domainname, *ip, *ip6, *mac,
		*pull, *stop_signal, *cidfile, *platform, *runtime, *isolation;
	int64_t kernel_memory;
	bool ignored;
	struct run_life life;
	struct run_limits limits;
	struct strlist attach;
	char *detach_keys;
	bool sig_proxy;
};

#define RUN(letter, name, kind, field, help, ...) \
	OPTION(letter, name, kind, run_options, field, help, ##__VA_ARGS__)

#define OF_RUN(...) RUN(__VA_ARGS__),
#define OF_NOTHING(...)

static const struct option_def options[] = {RUN_TABLE(OF_RUN)};
static const struct option_def create_options[] = {RUN_TABLE(OF_NOTHING)};

typedef int (*add_fn)(struct container_options *o, const char *text, struct error *err);

static int add_label(struct container_options *o, const char *text, struct error *err)
{
	return run_add_label(text, &o->labels, err);
}

static int add_security(struct container_options *o, const char *text, struct error *err)
{
	return run_add_security(text, o, err);
}

static int add_env_file(struct container_options *o, const char *text, struct error *err)
{
	return run_read_env_file(text, &o->env, err);
}

static int add_env(struct container_options *o, const char *text, struct error *err)
{
	return run_add_env(text, &o->env, err);
}

/* What a container has of its own; anything else would be the host's. */
static bool is_sysctl(const char *key)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(key, names[i]))
			return true;
	/* sysctl(8) takes slashes as well */
	return str_starts(key, "net.") || str_starts(key, "net/") ||
	       str_starts(key, "fs.mqueue.") || str_starts(key, "fs/mqueue/");
}

static int add_sysctl(struct container_options *o, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");
	AUTO(free) char *key = mem_strndup(text, len);

	if (!len || !text[len] || !is_sysctl(key))
		return error_set(err, ERR_INVALID, "sysctl '%s' is not allowed", text);
	map_set(&o->sysctl, key, mem_strdup(text + len + 1));
	return 0;
}

static int add_host(struct container_options *o, const char *text, struct error *err)
{
	return cli_add_host(text, &o->extra_hosts, err);
}

static int add_dns(struct container_options *o, const char *text, struct error *err)
{
	if (!cli_is_address(text))
		return error_set(err, ERR_INVALID, "IP address is not correctly formatted: %s",
				 text);
	strlist_add(&o->dns, text);
	return 0;
}

static int add_publish(struct container_options *o, const char *text, struct error *err)
{
	AUTO(network_port_list) struct network_port_list list = {0};
	int r = network_ports_parse(text, &list, err);

	if (r == 0)
		strlist_add(&o->publish, text);
	return r;
}

/* Docker refuses these, but does not say why. */
static int add_storage(struct container_options *o, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");

	(void)o;
	if (!text[len])
		return error_set(err, ERR_INVALID, "invalid storage option");
	if (len != strlen("size") || !str_starts(text, "size"))
		return error_set(err, ERR_INVALID, "Unknown option %.*s", (int)len, text);
	return error_set(err, ERR_UNSUPPORTED,
			 "--storage-opt is supported only for overlay over xfs with 'pquota' "
			 "mount option");
}

int run_bad_flag(struct error *err, const char *text, const char *flag)
{
	return error_wrap(err, "invalid argument \"%s\" for \"%s\" flag", text, flag);
}

static int set_lists(const struct run_options *o, struct container_options *to,
		     struct error *err)
{
	const struct {
		const struct strlist *list;
		add_fn add;
		const char *flag; /* NULL: errors are no fault of the option's form */
	} lists[] = {
		/* -e wins over the files, so it comes behind them */
		{&o->env_files, add_env_file, NULL},
		{&o->env, add_env, "-e, --env"},
		{&o->labels, add_label, "-l, --label"},
		{&o->hosts, add_host, "--add-host"},
		{&o->dns, add_dns, "--dns"},
		{&o->publish, add_publish, NULL},
		{&o->volumes, container_options_add_volume, NULL},
		{&o->mounts, container_options_add_mount, NULL},
		{&o->ulimits, container_options_add_ulimit, "--ulimit"},
		{&o->sysctls, add_sysctl, "--sysctl"},
		{&o->security, add_security, NULL},
		{&o->storage, add_storage, NULL},
		{&o->networks, container_options_add_network, "--network"},
	};

	strlist_addall(&to->cap_add, &o->cap_add);
	strlist_addall(&to->cap_drop, &o->cap_drop);
	strlist_addall(&to->group_add, &o->groups);
	strlist_addall(&to->tmpfs, &o->tmpfs);
	strlist_addall(&to->volumes_from, &o->volumes_from);
	strlist_addall(&to->dns_search, &o->dns_search);
	strlist_addall(&to->dns_options, &o->dns_options);
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l].list->n; i++) {
			const char *text = lists[l].list->items[i];
			int r = lists[l].add(to, text, err);

			if (r < 0)
				return lists[l].flag ? run_bad_flag(err, text, lists[l].flag)
						     : r;
		}
	return 0;
}

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

/* "-w ''" and the like mean: not given. */
static char *copy_set(const char *s)
{
	return str_empty(s) ? NULL : mem_strdup(s);
}

static void set_plain(const struct run_options *o, struct container_options *to)
{
	to->workdir = copy_set(o->workdir);
	to->user = copy_set(o->user);
	to->name = copy_set(o->name);
	to->hostname = copy_set(o->hostname);
	to->domainname = copy_set(o->domainname);
	to->stop_signal = copy_set(o->stop_signal);
	to->runtime = copy_set(o->runtime);
	to->remove = o->remove;
	to->tty = o->tty;
	to->interactive = o->interactive;
	to->init = o->init;
	to->privileged = o->privileged;
	to->read_only = o->read_only;
	to->publish_all = o->publish_all;
	to->has_entrypoint = o->entrypoint != NULL;
	if (o->entrypoint)
		strlist_take(&to->entrypoint, copy(o->entrypoint));
}

static int parse_pull(const char *text, enum engine_pull *out, struct error *err)
{
	if (str_eq(text, "always"))
		*out = ENGINE_PULL_ALWAYS;
	else if (str_eq(text, "never"))
		*out = ENGINE_PULL_NEVER;
	else if (str_empty(text) || str_eq(text, "missing"))
		*out = ENGINE_PULL_MISSING;
	else
		return error_set(err, ERR_INVALID,
				 "invalid pull option: '%s': must be one of \"always\", "
				 "\"missing\" or \"never\"",
				 text);
	return 0;
}

static int check_platform(const char *text, struct error *err)
{
	AUTO(platform) struct platform want = PLATFORM_INIT;
	AUTO(platform) struct platform host = PLATFORM_INIT;
	int r;

	if (str_empty(text))
		return 0;
	platform_host(&host);
	if ((r = platform_parse(text, &want, err)) < 0)
		return error_wrap(err, "error parsing specified platform");
	if (platform_match(&host, &want))
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "platform %s cannot run on this machine (%s/%s)",
			 text, host.os, host.architecture);
}

static int check_supported(const struct run_options *o, struct error *err)
{
	if (o->remove && !str_empty(o->life.restart) && !str_eq(o->life.restart, "no"))
		return error_set(err, ERR_CONFLICT,
				 "conflicting options: cannot specify both "
				 "--restart and --rm");
	if (o->detach && o->attach.n) {
		error_set(err, ERR_INVALID,
			  "conflicting options: cannot specify both --attach and --detach");
		err->exit_code = CLI_EXIT_ERROR;
		return -ERR_INVALID;
	}
	if (!str_empty(o->isolation) && !str_ieq(o->isolation, "default"))
		return error_set(err, ERR_UNSUPPORTED,
				 "invalid isolation (%s): linux only supports 'default'",
				 o->isolation);
	if (str_eq(o->life.uts, "host") && !str_empty(o->hostname))
		return error_set(err, ERR_CONFLICT,
				 "conflicting options: hostname and the UTS mode");
	if (str_eq(o->life.uts, "host") && !str_empty(o->domainname))
		return error_set(err, ERR_CONFLICT,
				 "conflicting options: domainname and the UTS mode");
	if (!str_empty(o->stop_signal) && engine_signal(o->stop_signal) < 0)
		return error_set(err, ERR_INVALID, "invalid signal: %s", o->stop_signal);
	return 0;
}

/* Docker's [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
int run_check_name(const char *name, struct error *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (str_empty(name))
		return 0;
	if (name[1] && !strchr("_.-", name[0]) && strspn(name, letters) == strlen(name))
		return 0;
	return error_set(err, ERR_INVALID,
			 "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
			 "allowed",
			 name);
}

/* What standard streams the container was made for. */
static int set_attach(const struct run_options *o, struct container_options *to,
		      struct error *err)
{
	for (size_t i = 0; i < o->attach.n; i++) {
		AUTO(free) char *name = str_lower(o->attach.items[i]);

		if (!str_eq(name, "stdin") && !str_eq(name, "stdout") &&
		    !str_eq(name, "stderr"))
			return error_set(err, ERR_INVALID,
					 "invalid argument \"%s\" for \"-a, --attach\" flag: "
					 "valid streams are STDIN, STDOUT and STDERR",
					 o->attach.items[i]);
		strlist_add(&to->attach, name);
	}
	to->detach_keys = copy_set(o->detach_keys);
	if (o->attach.n || o->detach)
		return 0;
	strlist_add(&to->attach, "stdout");
	strlist_add(&to->attach, "stderr");
	if (o->interactive)
		strlist_add(&to->attach, "stdin");
	return 0;
}

static int set_networks(const struct run_options *o, struct container_options *to,
			struct error *err)
{
	const struct container_network_flags flags = {.aliases = &o->aliases,
						      .links = &o->links,
						      .link_local = &o->link_local,
						      .ip = o->ip,
						      .ip6 = o->ip6,
						      .mac = o->mac};

	return container_options_set_networks(to, &flags, err);
}

static int make_request(const struct cli_invocation *inv, struct container_options *to,
			struct engine_run *req, struct error *err)
{
	const struct run_options *o = inv->options;
	int r;

	set_plain(o, to);
	for (int i = 1; i < inv->argc; i++)
		strlist_add(&to->args, inv->argv[i]);
	if ((r = check_supported(o, err)) < 0 ||
	    (r = parse_pull(o->pull, &req->pull, err)) < 0 ||
	    (r = check_platform(o->platform, err)) < 0 || (r = set_lists(o, to, err)) < 0 ||
	    (r = run_set_limits(&o->limits, to, err)) < 0 ||
	    (r = run_set_life(&o->life, to, cli_given(inv, &o->life.stop_timeout), err)) < 0 ||
	    (r = set_attach(o, to, err)) < 0)
		return r;
	return set_networks(o, to, err);
}

/* As Docker: who has written an option wrongly sees the usage. */
static int fail(const struct cli_invocation *inv, const struct error *err)
{
	if (str_starts(err->message, "invalid argument \""))
		return cli_usage_error(inv, "%s", err->message);
	return err->exit_code == CLI_EXIT_ERROR ? cli_fail(inv, err) : cli_fail_run(inv, err);
}

static void on_warning(void *data, const char *text)
{
	fprintf(data, "WARNING: %s\n", text);
	fflush(data);
}

static void on_notice(void *data, const char *text)
{
	fprintf(data, "%s\n", text);
	fflush(data);
}

/*
 * One that goes when it ends and has no terminal needs no monitor: nobody comes back to it.
 * It has no log, and cannot be attached to.
 */
static bool may_be_plain(const struct run_options *o)
{
	return o->remove && !o->detach && !(o->tty && o->interactive) && !o->attach.n &&
	       o->sig_proxy;
}

static bool is_plain(const struct run_options *o, const struct container_options *to)
{
	return may_be_plain(o) && !to->restart && !to->health.present;
}

static int run_monitored(struct cli_invocation *inv, struct engine *e,
			 const struct engine_run *req)
{
	const struct run_options *o = inv->options;
	const struct strlist *attach = &req->options->attach;
	const struct engine_streams streams = {
		.attach_in = strlist_find(attach, "stdin") >= 0,
		.attach_out = strlist_find(attach, "stdout") >= 0,
		.attach_err = strlist_find(attach, "stderr") >= 0,
		.sig_proxy = o->sig_proxy && !(o->tty && o->interactive),
		.in = req->in,
		.out = req->out,
		.err = req->err};
	struct engine_attached attached = {0};
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *id = NULL;

	if (engine_create(e, req, &id, &err) < 0)
		return cli_fail_run(inv, &err);
	if (o->detach) {
		fprintf(inv->program->out, "%s\n", id);
		fflush(inv->program->out);
	}
	if (engine_start(e, id, o->detach ? NULL : &streams, &attached, &err) < 0)
		return cli_fail_run(inv, &err);
	return attached.exit_code;
}

static int run(struct cli_invocation *inv)
{
	const struct run_options *o = inv->options;
	AUTO(container_options) struct container_options to = CONTAINER_OPTIONS_INIT;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	int code = 0;
	struct engine_run req = {.image = inv->argv[0],
				 .options = &to,
				 .cidfile = o->cidfile,
				 .in = STDIN_FILENO,
				 .out = STDOUT_FILENO,
				 .err = STDERR_FILENO,
				 .platform = o->platform,
				 .progress = &transfer.progress,
				 .notice = o->quiet ? NULL : on_notice,
				 .warning = on_warning,
				 .data = inv->program->err};

	/* a monitor does that for itself; before files are read, which may be pipes */
	if (may_be_plain(o) && inv->program->argv)
		process_shield(inv->program->argv);
	cli_transfer_start(&transfer, inv->program->err, o->quiet);
	if (make_request(inv, &to, &req, &err) < 0)
		return fail(inv, &err);
	if (run_check_name(o->name, &err) < 0)
		return cli_fail_run(inv, &err);
	if (o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO)) {
		fprintf(inv->program->err, "the input device is not a TTY\n");
		return CLI_EXIT_ERROR;
	}
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_USAGE;
	if (!is_plain(o, &to))
		return run_monitored(inv, e, &req);
	if (engine_run(e, &req, &code, &err) < 0)
		return cli_fail_run(inv, &err);
	return code;
}

static int create(struct cli_invocation *inv)
{
	const struct run_options *o = inv->options;
	AUTO(container_options) struct container_options to = CONTAINER_OPTIONS_INIT;
	AUTO(cli_transfer) struct cli_transfer transfer;
	AUTO(engine) struct engine *e = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *id = NULL;
	struct engine_run req = {.image = inv->argv[0],
				 .options = &to,
				 .cidfile = o->cidfile,
				 .platform = o->platform,
				 .progress = &transfer.progress,
				 .notice = o->quiet ? NULL : on_notice,
				 .warning = on_warning,
				 .data = inv->program->err};

	cli_transfer_start(&transfer, inv->program->err, o->quiet);
	if (make_request(inv, &to, &req, &err) < 0)
		return fail(inv, &err);
	if (run_check_name(o->name, &err) < 0)
		return cli_fail(inv, &err);
	if (!cli_open_engine(inv, &e))
		return CLI_EXIT_ERROR;
	if (engine_create(e, &req, &id, &err) < 0) {
		err.exit_code = CLI_EXIT_ERROR; /* 125 is for run */
		return cli_fail(inv, &err);
	}
	fprintf(inv->program->out, "%s\n", id);
	return 0;
}

const struct command cmd_run = {
	.path = "container run",
	.aliases = "run",
	.summary = "Create and run a new container from an image",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	COMMAND_OPTIONS(options, run_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = COMMAND_STOP,
	.run = run,
};

const struct command cmd_create = {
	.path = "container create",
	.aliases = "create",
	.summary = "Create a new container",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	COMMAND_OPTIONS(create_options, run_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = COMMAND_STOP,
	.run = create,
};
