#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh [--check] GROUP... - the Debian packages of scripts/packages, by group
#
# Installs those that are missing when we are root.  Otherwise (and always with
# --check) says the line that installs them and exits with 1.  Says nothing and
# touches nothing when all are there, so that every make target can call it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

check=
if [ "${1-}" = --check ]; then
	check=1
	shift
fi

if ! command -v dpkg-query >/dev/null; then
	printf 'deps: this is no Debian; see %s for what is needed\n' "scripts/packages" >&2
	exit 0
fi

wanted=$(awk -v groups=" $* " '!/^#/ && NF == 2 && index(groups, " " $1 " ") { print $2 }' \
	"$here/packages")
# shellcheck disable=SC2086  # one word, one package
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
	awk '$2 == "installed" { print $1 }') || true
missing=$(comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$installed") | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

if [ -n "$check" ] || [ "$(id -u)" != 0 ]; then
	printf 'Debian packages are missing.  Install them as root with:\n\n' >&2
	printf '    apt-get update && apt-get install -y --no-install-recommends %s\n\n' "$missing" >&2
	exit 1
fi

printf 'Installing: %s\n' "$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing </dev/null
