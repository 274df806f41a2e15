/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry - what containers have of the machine's network beyond a bridge and an
 * address, in files of lines that anybody may make rules of.
 *
 *   STATE/endpoints/ID     lines, locked (fcntl(2), F_OFD_SETLK) as long as the
 *                          container's owner lives
 *   STATE/endpoints/.lock  held (flock) by who reads or changes them or makes rules of
 *                          them, which is one deed
 *
 *   port tcp 0.0.0.0 8000 10.89.0.5 3000 stave0
 *   net stave-1a2b3c4d 10.128.0.5 ID name,alias /path/of/its/hosts
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "network/network.h"

/* /run/stave, or that of an ordinary user. */
int network_state_dir(int *out, struct error *err);

/* The directory of entries, with its lock held until both are closed. */
struct entries {
	int dir;
	int lock;
};

#define ENTRIES_INIT ((struct entries){.dir = -1, .lock = -1})

int entries_open(struct entries *s, struct error *err);
void entries_close(struct entries *s);
static inline void entries_auto(struct entries *s)
{
	entries_close(s);
}

/* Gives @e an entry for container @id, empty. */
int entry_make(const struct entries *s, const char *id, struct network_endpoint *e,
	       struct error *err);
/* More lines for it. */
int entry_write(const struct network_endpoint *e, const struct buf *text, struct error *err);
/* The lines of all that live, dead ones are removed; *@out_dead: were there any? */
int entries_read(const struct entries *s, struct strlist *lines, bool *out_dead,
		 struct error *err);
/* The lines of one; none if it is not there. */
int entry_read(const char *id, struct strlist *lines, struct error *err);
/* Removes the entry, and the rules that were made of it. */
void entry_close(struct network_endpoint *e);

/* Makes the machine's rules for published ports what the entries say. */
int publish_sync(const struct entries *s, struct error *err);
/* Makes the hosts of those on bridge @bridge what the entries say. */
int names_sync(const struct entries *s, const char *bridge, struct error *err);
/* Sockets for each of @ports, which get their numbers. */
int ports_take(struct network_endpoint *e, struct network_port_list *ports, struct error *err);
