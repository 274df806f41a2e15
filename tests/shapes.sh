#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the image commands of stave and Docker print, with the same images, is the same.
# Skips, and says so, where no Docker answers.
exec "$(dirname "$0")/compat/shapes" "$@"
