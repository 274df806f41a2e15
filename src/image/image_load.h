/* SPDX-License-Identifier: Apache-2.0 */
/* image_load - what the readers of the archive formats share. */
#pragma once

#include "image/image_incoming.h"

struct load_image {
	struct incoming_image image;
	struct digest from;   /* OCI: what index.json points to */
	struct strlist names; /* normal references */
};

struct load {
	struct incoming in;
	struct image_layout layout;	 /* the unpacked members */
	struct index index;		 /* of index.json; empty when there is none */
	const struct platform *platform; /* NULL: any */
	struct load_image *items;
	size_t n;
	size_t cap;
};

/* -ERR_NOT_FOUND when the user asked for another platform. */
int load_check_platform(const struct load *l, const struct incoming_image *image,
			struct error *err);
int load_add_name(struct load_image *i, const char *name, struct error *err);
/* By manifest.json. */
int load_docker(struct load *l, struct error *err);
