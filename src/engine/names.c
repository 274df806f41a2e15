/* SPDX-License-Identifier: Apache-2.0 */
/* Names for containers whose user gave none: a mood and a cooper's or sailor's word. */
#include <sys/random.h>

#include "engine/engine_private.h"

#include "base/banned.h"

static const char *const moods[] = {
	"able",	  "amber",  "apt",    "bold",	 "brave",  "breezy", "bright", "brisk",
	"calm",	  "candid", "clever", "cosy",	 "crisp",  "daring", "deft",   "eager",
	"early",  "easy",   "fair",   "fleet",	 "fond",   "frank",  "fresh",  "gentle",
	"gifted", "glad",   "golden", "grand",	 "hardy",  "hearty", "honest", "jolly",
	"keen",	  "kind",   "lively", "lucid",	 "lucky",  "merry",  "mild",   "modest",
	"neat",	  "nimble", "noble",  "patient", "placid", "proud",  "quick",  "quiet",
	"rapid",  "ready",  "robust", "sage",	 "serene", "sharp",  "silent", "snug",
	"sober",  "solid",  "spry",   "steady",	 "sunny",  "tidy",   "vivid",  "witty",
};

static const char *const things[] = {
	"adze",	   "anchor", "auger",	"barrel",  "beacon", "bilge",	 "binnacle", "bosun",
	"bowline", "bung",   "buoy",	"capstan", "cask",   "chime",	 "cleat",    "compass",
	"cooper",  "croze",  "cutter",	"dinghy",  "dock",   "dory",	 "fathom",   "firkin",
	"galley",  "gimbal", "halyard", "harbor",  "hatch",  "hawser",	 "helm",     "hogshead",
	"hoop",	   "hull",   "jetty",	"keel",	   "keg",    "ketch",	 "lantern",  "lighter",
	"mallet",  "mast",   "mooring", "oar",	   "pier",   "pinnace",	 "pipe",     "plane",
	"prow",	   "quay",   "rigging", "rudder",  "sail",   "schooner", "sextant",  "skiff",
	"sloop",   "spigot", "stave",	"tiller",  "tun",    "wharf",	 "winch",    "yawl",
};

void engine_random_name(struct buf *out)
{
	unsigned char pick[2] = {0};

	/* a name taken already is found when the row is written */
	(void)!getrandom(pick, sizeof(pick), 0);
	buf_printf(out, "%s_%s", moods[pick[0] % 64], things[pick[1] % 64]);
}
