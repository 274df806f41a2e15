# SPDX-License-Identifier: Apache-2.0
# top, stats, update, events, port, system start: looking at containers that run.

load common
load containers

inspect() { stave inspect --format "$1" "$2"; }

@test "top shows the container's processes and no others" {
	detach --name xx busybox sh -c "sleep $MARK & sleep $MARK"
	sleep 0.2
	run stave top xx
	ended 0
	is "${#lines[@]}" 3
	has "${lines[0]}" PID
	has "$output" "sleep $MARK"
	is "$(stave top xx -o pid,comm | awk 'NR > 1 {print $2}' | sort -u)" sleep
	stave stop -t 0 xx
	run stave top xx
	ended 1
	has "$output" "is not running"
}

@test "stats --no-stream: one row for each that runs" {
	detach --name busy busybox sh -c 'while :; do :; done'
	detach --name idle busybox sleep "$MARK"
	run stave stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.PIDs}}'
	ended 0
	[[ $output =~ busy\ [1-9][0-9]*\.[0-9][0-9]%\ 1 ]]
	has "$output" "idle 0.00% 1"
	has "$(stave stats --no-stream idle)" "MEM USAGE / LIMIT"
}

pids_group() { ls -d /sys/fs/cgroup/{,pids/}stave/"$(inspect '{{.Id}}' "$1")" 2>/dev/null; }

@test "update sets limits of a running container and its restart policy" {
	detach --name up busybox sh -c 'while :; do sleep 0.1; done'
	is "$(stave update --memory 64m --memory-swap 128m --pids-limit 20 --restart on-failure:3 up)" up
	is "$(inspect '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' up)" "67108864 20"
	is "$(inspect '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' up)" "on-failure 3"
	has "$(cat "/proc/$(inspect '{{.State.Pid}}' up)/cgroup")" "/stave/$(inspect '{{.Id}}' up)"
	is "$(cat "$(pids_group up)/pids.max")" 20
	stave update --pids-limit -1 up
	is "$(cat "$(pids_group up)/pids.max") $(inspect '{{.HostConfig.PidsLimit}}' up)" "max 0"
	run stave update up
	differ "$status" 0
	run stave update --memory 1m up
	ended 1
	has "$output" "Minimum memory limit allowed is 6MB"
	stave update --cpus 0.5 up
	run stave update --cpu-period 50000 up
	ended 1
	has "$output" "Cannot update container $(inspect '{{.Id}}' up): Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"
	stave rm -f up
	nothing_left
}

# CONTROLLER WORDS...: the words on a machine without that controller of cgroups.
without() {
	unshare -m sh -c 'umount -l "/sys/fs/cgroup/$1" && shift && exec "$@"' without "$@"
}

@test "limits that this machine does not have: a warning, and run and update go on" {
	local limits="--memory 64m --memory-reservation 32m --pids-limit 20 --cpu-shares 512 --cpuset-cpus 0"
	[ -e /sys/fs/cgroup/memory/tasks ] || skip "needs cgroups of version 1, which can be taken away one by one"
	detach --name up busybox sleep "$MARK"
	while IFS='|' read -r controller words; do
		run --separate-stderr without "$controller" stave run --rm --network none $limits busybox echo ran
		ended 0
		is "$output" ran
		has "$stderr" "WARNING: Your kernel does not support $words"
		run --separate-stderr without "$controller" stave update $limits up
		ended 0
		is "${lines[0]}" up
		has "$output" "Your kernel does not support $words"
	done <<-'E'
		memory|memory limit capabilities or the cgroup is not mounted. Limitation discarded.
		memory|memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.
		pids|PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.
		cpuset|cpuset or the cgroup is not mounted. Cpuset discarded.
	E
	run without cpu stave run --rm --network none --cpus 1 busybox true
	ended 125
	has "$output" "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler"
	stave rm -f up
	nothing_left
}

@test "events tell a life in its order" {
	detach --name ev -l kind=test busybox sleep "$MARK"
	stave pause ev
	stave unpause ev
	stave exec ev true
	stave rename ev ew
	stave stop -t 0 ew
	stave rm ew
	run stave events --since 1h --until 0s --filter label=kind=test --format '{{.Action}}'
	ended 0
	is "$output" $'create\nstart\npause\nunpause\nexec_create: true\nexec_start: true\nexec_die\nrename\ndie\nstop\ndestroy'
	run stave events --since 1h --until 0s --filter container=ew --filter event=die
	has "$output" "container die"
	has "$output" "exitCode=137"
	has "$output" "image=busybox"
	stave events --since 1h --until 0s --format json | jq -e .timeNano >/dev/null
	timeout 5 stave events --filter event=create --format '{{.Actor.Attributes.name}}' >"$ctx/live" &
	sleep 0.3
	stave create --name live busybox true >/dev/null
	settled grep -q live "$ctx/live"
	run stave events --filter nope=x --until 0s
	ended 1
}

@test "system start brings back what its policy wants, as after a crash" {
	detach --name al --restart always busybox sleep "$MARK"
	detach --name un --restart unless-stopped busybox sleep "$MARK"
	detach --name st --restart unless-stopped busybox sleep "$MARK"
	detach --name no busybox sleep "$MARK"
	stave stop -t 0 st
	for name in al un no; do
		kill -9 "$(jq -r .monitor "$STAVE_ROOT/containers/$(inspect '{{.Id}}' $name)/state.json")"
	done
	settled eval '[ -z "$(stave ps -q)" ]'
	is "$(stave system start | sort)" $'al\nun'
	is "$(stave ps --format '{{.Names}}' | sort)" $'al\nun'
}

@test "inspect has Docker's shape" {
	detach --name in --hostname hh --cap-add NET_ADMIN -e A=1 --restart always \
		--stop-timeout 3 -v "$ctx:/ctx:ro" --expose 8080 busybox sleep "$MARK"
	is "$(inspect '{{.Config.Hostname}} {{.Config.Tty}} {{.Config.StopTimeout}} {{.Path}}' in)" "hh false 3 sleep"
	is "$(inspect '{{json .HostConfig.CapAdd}} {{.HostConfig.RestartPolicy.Name}}' in)" '["NET_ADMIN"] always'
	is "$(inspect '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}' in)" "bind $ctx /ctx false"
	is "$(inspect '{{json .Config.ExposedPorts}}' in)" '{"8080/tcp":{}}'
	[ "$(inspect '{{.State.Pid}}' in)" -gt 1 ]
	is "$(stave port in)" ""
	run stave port in 80
	ended 1
	has "$output" "No public port '80' published for in"
}

@test "commit and export hold what runs, and let it go on" {
	detach --name wr busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i >/count; done'
	sleep 0.2
	stave commit wr held >/dev/null
	stave run --rm --network none held test -f /count
	stave export wr | tar -t | grep -qx count
	is "$(stave inspect --format '{{.State.Status}}' wr)" running
	has "$(stave events --since 1h --until 0s --filter container=wr --format '{{.Action}}')" pause
	stave rm -f wr
	stave rmi held >/dev/null
	nothing_left
}
