/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_private.h"
#include "remote/remote.h"

#include "base/banned.h"

static int download(const char *url, int *out, struct error *err)
{
	AUTO(fd) int body = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int r;

	if (body < 0)
		return error_sys(err, "cannot make a temporary file");
	if ((r = remote_fetch(url, body, err)) < 0)
		return r;
	if (lseek(body, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind the download");
	*out = take_fd(&body);
	return 0;
}

static int open_source(const struct engine_import *req, int *out, const char **label,
		       struct error *err)
{
	*label = remote_is_http(req->source) ? req->source : "-";
	if (str_eq(req->source, "-")) {
		*out = fcntl(req->input, F_DUPFD_CLOEXEC, 0);
		return *out < 0 ? error_sys(err, "standard input") : 0;
	}
	if (remote_is_http(req->source))
		return download(req->source, out, err);
	*out = open(req->source, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "open %s", req->source) : 0;
}

static int choose_platform(const struct engine_import *req, struct image_config *cfg,
			   struct error *err)
{
	platform_clear(&cfg->platform);
	if (req->platform)
		return platform_parse(req->platform, &cfg->platform, err);
	platform_host(&cfg->platform);
	return 0;
}

int engine_import(struct engine *e, const struct engine_import *req, struct digest *out_id,
		  struct error *err)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	struct image_import how = {.message = req->message, .config = &cfg, .names = &names};
	AUTO(fd) int input = -1;
	bool has_epoch;
	int64_t epoch;
	int r = engine_normal_name(req->name, "cannot import digest reference", &names, err);

	if (r < 0 || (r = build_changes(e->store, &req->changes, &cfg, err)) < 0 ||
	    (r = open_source(req, &input, &how.source, err)) < 0)
		return r;
	if ((r = engine_epoch(NULL, &has_epoch, &epoch, err)) < 0 ||
	    (r = choose_platform(req, &cfg, err)) < 0)
		return r;
	how.now_ns = has_epoch ? epoch * 1000000000 : clock_now_ns();
	how.input = input;
	return image_import(e->store, &how, out_id, err);
}
