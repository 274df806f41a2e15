# SPDX-License-Identifier: Apache-2.0
#
# Guests from the host: a root file system out of Debian's packages that are
# installed here (no mirror needed), and a terminal to sit at (tmux).

# TREE PROGRAM…: the programs with the libraries that they need, under their own names.
add_programs() {
	local tree=$1 file
	shift
	{
		printf '%s\n' "$@"
		ldd "$@" | sed -n 's/^.* => \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p'
	} | sort -u | while read -r file; do
		# a library goes where its loader looks, whatever links lead there
		mkdir -p "$tree$(dirname "$file")"
		cp -L "$file" "$tree$file"
	done
}

# ---- a terminal ----

# Opens one of 24 rows and 80 columns, with a shell whose prompt is "host$ ".
open_terminal() {
	terminal=$BATS_TEST_TMPDIR/terminal
	# without the variables of bats and of a tmux around us
	env -u TMUX tmux -S "$terminal" -f /dev/null new-session -d -x 80 -y 24 \
		"env PS1='host$ ' sh -i" 3>&-
	shows '^host\$'
}

close_terminal() {
	[ -z "${terminal-}" ] || tmux -S "$terminal" kill-server 2>/dev/null || true
}

# Types a line.
types() { tmux -S "$terminal" send-keys -l "$1" && presses Enter; }

# Presses keys by their names: C-c, Enter …
presses() { tmux -S "$terminal" send-keys "$@"; }

# All that was on the screen since the last wipe.
screen() { tmux -S "$terminal" capture-pane -p -S - | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }

# PATTERN: comes onto the screen soon.
shows() {
	settled eval "screen | grep -qE -- '$1'" || {
		printf 'looked for: %s\non the screen:\n%s\n' "$1" "$(screen)"
		return 1
	}
}

# Forgets what is on the screen but the line of the cursor.
wipes() {
	tmux -S "$terminal" send-keys -R
	tmux -S "$terminal" clear-history
	presses Enter
}

# COLUMNS ROWS of the window.
resizes() { tmux -S "$terminal" resize-window -x "$1" -y "$2"; }
