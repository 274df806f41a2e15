/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout. */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli_command.h"

#include "base/io.h"
#include "base/mem.h"

#include "base/banned.h"

#define LIMIT_PASSWORD (64u << 10)
#define HUB	       "docker.io"

struct login_options {
	char *user;
	char *password;
	bool password_stdin;
};

static const struct option_def options[] = {
	OPTION('p', "password", STRING, login_options, password,
	       "Password or Personal Access "
	       "Token (PAT)"),
	OPTION(0, "password-stdin", BOOL, login_options, password_stdin,
	       "Take the Password or Personal Access Token (PAT) from stdin"),
	OPTION('u', "username", STRING, login_options, user, "Username"),
};

/* "https://host/v1/" means host; none means Docker's hub. */
static char *domain_of(const char *text)
{
	size_t skip = str_starts(text, "https://") ? 8 : str_starts(text, "http://") ? 7 : 0;
	char *host = mem_strndup(text + skip, strcspn(text + skip, "/"));

	if (!str_eq(host, "index.docker.io") && !str_eq(host, "registry-1.docker.io"))
		return host;
	free(host);
	return mem_strdup(HUB);
}

static void hide_typing(bool hide)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t) < 0)
		return;
	t.c_lflag = hide ? t.c_lflag & ~(tcflag_t)ECHO : t.c_lflag | ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
}

static char *ask(const struct cli_invocation *inv, const char *question, bool secret)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	fputs(question, inv->program->out);
	fflush(inv->program->out);
	if (secret)
		hide_typing(true);
	n = getline(&line, &cap, stdin);
	if (secret) {
		hide_typing(false);
		fputc('\n', inv->program->out);
	}
	if (n < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = 0;
	return line;
}

static int read_password(char **out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = io_read_all(STDIN_FILENO, LIMIT_PASSWORD, &text, err);

	if (r < 0)
		return error_wrap(err, "the password");
	*out = buf_steal(&text);
	return 0;
}

struct answers {
	char *user, *password;
};

static void answers_auto(struct answers *a)
{
	free(a->user);
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->password);
}

static void trim(char *text)
{
	size_t skip, n;

	if (!text)
		return;
	skip = strspn(text, " \t\r\n");
	n = strlen(text + skip);
	while (n && strchr(" \t\r\n", text[skip + n - 1]))
		n--;
	memmove(text, text + skip, n);
	text[n] = 0;
}

/* What was written, as far as it was; Docker's order of complaints. */
static int take_options(const struct cli_invocation *inv, struct answers *a, struct error *err)
{
	const struct login_options *o = inv->options;
	int r = 0;

	if (o->user && str_empty(o->user))
		return error_set(err, ERR_INVALID, "username is empty");
	if (o->password && o->password_stdin)
		return error_set(err, ERR_INVALID,
				 "conflicting options: cannot specify both --password and "
				 "--password-stdin");
	if (o->password_stdin && !o->user)
		return error_set(err, ERR_INVALID,
				 "the --password-stdin option requires --username to be set");
	if (o->password && str_empty(o->password))
		return error_set(err, ERR_INVALID, "password is empty");
	if (o->password)
		fprintf(inv->program->err, "WARNING! Using --password via the CLI is insecure. "
					   "Use --password-stdin.\n");
	a->user = o->user ? mem_strdup(o->user) : NULL;
	a->password = o->password ? mem_strdup(o->password) : NULL;
	if (o->password_stdin)
		r = read_password(&a->password, err);
	trim(a->user);
	trim(a->password);
	return r;
}

static int ask_for_rest(const struct cli_invocation *inv, struct answers *a, struct error *err)
{
	if ((str_empty(a->user) || str_empty(a->password)) && !isatty(STDIN_FILENO))
		return error_set(err, ERR_INVALID,
				 "Cannot perform an interactive login from a non TTY device");
	if (str_empty(a->user)) {
		free(a->user);
		a->user = ask(inv, "Username: ", false);
		trim(a->user);
	}
	if (str_empty(a->user))
		return error_set(err, ERR_INVALID, "Non-null Username Required");
	if (str_empty(a->password)) {
		free(a->password);
		a->password = ask(inv, "Password: ", true);
		trim(a->password);
	}
	return str_empty(a->password) ? error_set(err, ERR_INVALID, "Password Required") : 0;
}

/* An earlier login may still do. */
static int log_in_again(const struct cli_invocation *inv, const char *domain, char **out_file,
			bool *out_done, struct error *err)
{
	AUTO(answers) struct answers a = {0};
	AUTO(error) struct error why = ERROR_INIT;
	struct engine_login req = {.registry = domain};
	int r = engine_login_known(domain, &a.user, &a.password, err);

	if (r < 0 || !a.user)
		return r;
	fprintf(inv->program->err,
		"Authenticating with existing credentials... [Username: %s]\n\n"
		" Info -> To login with a different account, run 'stave logout' followed by "
		"'stave login'\n\n\n",
		a.user);
	req.user = a.user;
	req.password = a.password;
	*out_done = engine_login(&req, out_file, &why) == 0;
	if (!*out_done)
		fprintf(inv->program->err, "Login did not succeed, error: %s\n", why.message);
	return 0;
}

static int log_in(const struct cli_invocation *inv, const char *domain, char **out_file,
		  struct error *err)
{
	AUTO(answers) struct answers a = {0};
	struct engine_login req = {.registry = domain};
	bool done = false;
	int r = take_options(inv, &a, err);

	if (r == 0 && !a.user && !a.password)
		r = log_in_again(inv, domain, out_file, &done, err);
	if (r < 0 || done || (r = ask_for_rest(inv, &a, err)) < 0)
		return r;
	req.user = a.user;
	req.password = a.password;
	return engine_login(&req, out_file, err);
}

static int run_login(struct cli_invocation *inv)
{
	AUTO(free) char *domain = domain_of(inv->argc ? inv->argv[0] : HUB);
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *file = NULL;

	if (log_in(inv, domain, &file, &err) < 0)
		return cli_fail(inv, &err);
	if (file)
		fprintf(inv->program->err,
			"\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
			"Configure a credential helper to remove this warning. See\n"
			"https://docs.docker.com/go/credential-store/\n\n",
			file);
	fprintf(inv->program->out, "Login Succeeded\n");
	return 0;
}

static int run_logout(struct cli_invocation *inv)
{
	AUTO(free) char *domain = domain_of(inv->argc ? inv->argv[0] : HUB);
	AUTO(error) struct error err = ERROR_INIT;
	const char *shown = str_eq(domain, HUB) ? "https://index.docker.io/v1/" : domain;

	fprintf(inv->program->out, "Removing login credentials for %s\n", shown);
	if (engine_logout(domain, &err) < 0)
		return cli_fail(inv, &err);
	return 0;
}

const struct command cmd_login = {
	.path = "login",
	.summary = "Authenticate to a registry",
	.usage = "[OPTIONS] [SERVER]",
	COMMAND_OPTIONS(options, login_options),
	.max_args = 1,
	.run = run_login,
};

const struct command cmd_logout = {
	.path = "logout",
	.summary = "Log out from a registry",
	.usage = "[SERVER]",
	.max_args = 1,
	.run = run_logout,
};
