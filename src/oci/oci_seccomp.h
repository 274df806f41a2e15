/* SPDX-License-Identifier: Apache-2.0 */
/* oci_seccomp - profiles as parts of a bigger document. */
#pragma once

#include "oci/oci.h"
#include "oci/oci_json.h"

/* An initialised rule at the end of the profile. */
struct seccomp_rule *seccomp_profile_add(struct seccomp_profile *p);
/* This machine in Docker's words: "amd64", "arm64" … */
const char *seccomp_native_arch(void);
/* The architectures a filter here must know: the native one and its 32-bit siblings. */
void seccomp_native_architectures(struct strlist *out);

/* The value of "linux.seccomp". */
void seccomp_write(struct json_writer *w, const struct seccomp_profile *p);
int seccomp_read(const json_t *obj, uint64_t caps, struct seccomp_profile *out,
		 struct error *err);
