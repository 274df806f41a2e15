/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - who has which address of a bridge.
 *
 * The file NAME.addresses (of IPv6 NAME.addresses6) begins with a hint (the host
 * number to try next); host number i is taken while somebody holds an
 * open-file-description lock on byte LOCKS + i (fcntl(2), F_OFD_SETLK).  Going round
 * instead of taking the lowest lets an address rest before it is used again.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "network/network.h"

/* The endings of the files, by family. */
extern const char *const address_files[NETWORK_FAMILIES];

/* The file, made if it is not there; new description at each call. */
int address_open(int state_dir, const char *bridge, enum network_family family, int *out_fd,
		 struct error *err);
/*
 * Locks @wanted on @fd, or any that is free if its length is 0.  -ERR_LIMIT when all are
 * taken, -ERR_INVALID when it is none of the pool's, -ERR_CONFLICT when somebody has it.
 */
int address_take(int fd, const struct network_bridge *b, enum network_family family,
		 const struct network_ip *wanted, struct network_ip *out, struct error *err);
