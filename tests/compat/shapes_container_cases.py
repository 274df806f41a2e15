# SPDX-License-Identifier: Apache-2.0
"""The command lines about containers that are compared; see shapes_cases.py for the words.

A line that begins with
"keys:" compares what keys the JSON has, and not their values.
"""

MAKE = "--label shapes --network none"

# Exit statuses and what run says before and behind a command.
RUN = """
run --rm NEW shapes/box echo hi
run --rm NEW shapes/box sh -c 'exit 3'
run --rm NEW shapes/box nosuch
run --rm NEW shapes/box /nosuch
run --rm NEW shapes/box /etc/passwd
run --rm NEW shapes/box /etc
run --rm NEW -w /etc/passwd shapes/box true
run --rm NEW -u nosuch shapes/box true
run --rm NEW --entrypoint nosuch shapes/box
run --rm NEW --pull never shapes/nosuch
run --rm NEW --pull sometimes shapes/box
run --rm NEW shapes/BAD
run --rm NEW --nosuch shapes/box
run --rm NEW --memory 1m shapes/box
run --rm NEW --memory x shapes/box
run --rm NEW --name a/b shapes/box
run --rm NEW --restart always shapes/box
run --rm NEW --restart sometimes shapes/box
run --rm NEW -it shapes/box
run --rm NEW -d -a stdout shapes/box
run --rm NEW -v a:b:c:d shapes/box
run --rm NEW --mount type=nosuch,target=/x shapes/box
run --rm NEW --tmpfs rel shapes/box
run --rm NEW --device /nosuch:/x:q shapes/box
run --rm NEW --security-opt nosuch shapes/box
run --rm NEW --security-opt nosuch=1 shapes/box
run --rm NEW --cpuset-cpus 999 shapes/box
run --rm NEW --pid container:shapes-nosuch shapes/box
run --rm NEW --ipc nosuch shapes/box
run --rm NEW --volumes-from shapes-nosuch shapes/box
run --rm NEW --log-driver nosuch shapes/box
run --rm NEW --runtime nosuch shapes/box
run --rm NEW --gpus all shapes/box
run --rm NEW --storage-opt size=1 shapes/box
run --rm NEW --isolation hyperv shapes/box
run
run --rm
create NEW --name shapes-a shapes/box nosuch
start -a shapes-a
start shapes-a
inspect -f '{{.State.Status}} {{.State.ExitCode}}' shapes-a
create NEW --name shapes-a shapes/box
create NEW --name 'a b' shapes/box
create NEW --memory 1m shapes/box
create --pull never NEW shapes/nosuch:x
create
"""

LISTS = """
create NEW --name shapes-a -l one=1 -l two=x,y -v shapes-vol:/data shapes/box sh -c 'exit 4'
create NEW --name shapes-b --hostname h -v /etc:/host shapes/box
start -a shapes-a
ps -a --filter label=shapes
ps -a --filter label=shapes --no-trunc
ps -aq --filter label=shapes
ps -aq --no-trunc --filter label=shapes
ps --filter label=shapes
ps -as --filter label=shapes
ps -a --filter label=shapes --format json
ps -a --filter label=shapes --format '{{json .}}'
ps -a --filter label=shapes --format '{{.Names}} {{.State}} {{.Status}} {{.Image}} {{.Command}}'
ps -a --filter label=shapes --format '{{.Labels}} {{.Mounts}} {{.LocalVolumes}} {{.Networks}} {{.Ports}}'
ps -a --filter label=shapes --format '{{.Label "one"}}|{{.Size}}|{{.Platform}}'
ps -a --filter label=shapes --format 'table {{.Names}}\\t{{.CreatedAt}}\\t{{.RunningFor}}'
ps -a --filter label=shapes --format 'table {{.Names}} {{.Mounts}}'
ps -a --filter label=shapes --format raw
ps -a --filter label=shapes --format '{{.Nosuch}}'
ps -a --filter label=shapes --format '{{.Names'
ps -q -a --filter label=shapes --format '{{.Names}}'
ps -a --filter label=one=1 --format '{{.Names}}'
ps -a --filter label=one=2 --format '{{.Names}}'
ps -a --filter label=one --filter label=nosuch
ps -a --filter name=shapes-a --format '{{.Names}}'
ps -a --filter name=^/shapes-[ab]$ --format '{{.Names}}'
ps -a --filter label=shapes --filter status=created --format '{{.Names}}'
ps -a --filter label=shapes --filter exited=4 --format '{{.Names}}'
ps -a --filter label=shapes --filter exited=x
ps -a --filter status=nosuch
ps -a --filter health=nosuch
ps -a --filter before=shapes-b --filter label=shapes --format '{{.Names}}'
ps -a --filter since=shapes-a --filter label=shapes --format '{{.Names}}'
ps -a --filter since=shapes-nosuch
ps -a --filter volume=shapes-vol --format '{{.Names}}'
ps -a --filter volume=/host --format '{{.Names}}'
ps -a --filter network=none --filter label=shapes --format '{{.Names}}'
ps -a --filter ancestor=shapes/box --format '{{.Names}}'
ps -a --filter ancestor=shapes/box:nosuch --format '{{.Names}}'
ps -a --filter publish=x
ps -a --filter expose=80 --filter label=shapes
ps -a --filter is-task=true
ps -a --filter is-task=x
ps -a --filter nosuch=1
ps -a --filter nosuch
ps nosuch
ps --nosuch
container ls -a --filter label=shapes --format '{{.Names}}'
container list -a --filter label=shapes --format '{{.Names}}'
container ps -a --filter label=shapes --format '{{.Names}}'
ps -n x
rm shapes-a shapes-b
volume rm shapes-vol
"""

LIFE = """
run -d NEW --name shapes-a shapes/box sh -c 'echo out; echo err >&2; sleep 1000'
run -d NEW --name shapes-a shapes/box
create NEW --name shapes-b shapes/box sh -c 'exit 5'
start shapes-a
start shapes-nosuch
start shapes-b shapes-nosuch
start -a shapes-a shapes-b
wait shapes-b
wait shapes-nosuch
wait shapes-b shapes-nosuch
stop shapes-nosuch
stop shapes-b
stop -s NOSUCH shapes-a
kill shapes-b
kill shapes-nosuch
kill -s NOSUCH shapes-a
kill -s 0x shapes-a
pause shapes-b
pause shapes-nosuch
unpause shapes-a
pause shapes-a
pause shapes-a
start shapes-a
exec shapes-a true
attach shapes-a
rm shapes-a
unpause shapes-a
restart shapes-nosuch
rm shapes-a
rm shapes-nosuch
rm -f shapes-nosuch
rm shapes-nosuch shapes-b
rename shapes-a
rename shapes-a shapes-a
rename shapes-nosuch shapes-c
rename shapes-a ''
rename shapes-a 'b b'
create NEW --name shapes-b shapes/box
rename shapes-a shapes-b
rename shapes-b shapes-c
attach shapes-c
attach shapes-nosuch
exec shapes-c true
exec shapes-nosuch true
exec shapes-a nosuch
exec shapes-a /etc/passwd
exec shapes-a sh -c 'exit 6'
exec -w /nosuch shapes-a pwd
exec -u nosuch shapes-a true
exec -e A=1 -e B shapes-a sh -c 'echo $A$B'
exec -e =x shapes-a true
exec -it shapes-a true
exec shapes-a
exec
update shapes-a
update --memory 1m shapes-a
update --restart nosuch shapes-a
update --memory 20m shapes-nosuch
update --pids-limit 50 shapes-a
stop -t 0 shapes-a
start -i shapes-nosuch
rm -v shapes-a shapes-c
"""

LOOK = """
run -d NEW --name shapes-a shapes/box sh -c 'echo out; echo err >&2; mkdir /new; touch /new/f; rm /etc/motd; sleep 1000'
create NEW --name shapes-b shapes/box sh -c 'exit 5'
exec shapes-a sh -c 'sleep 0.3'
logs shapes-a
logs -n 0 shapes-a
logs --tail x shapes-a
logs --tail 1 shapes-b
logs shapes-nosuch
logs --since nonsense shapes-a
logs
port shapes-a
port shapes-a 80
port shapes-a 80/nosuch
port shapes-a x
port shapes-nosuch
port shapes-b
top shapes-b
top shapes-nosuch
top
stats --no-stream shapes-nosuch
stats --no-stream --format '{{.Name}} {{.PIDs}}' shapes-a
stats --no-stream --format '{{.Nosuch}}' shapes-a
stats --no-stream --format '{{.Name}} {{.MemUsage}}' shapes-b
diff shapes-a
diff shapes-nosuch
export shapes-nosuch
commit shapes-nosuch
commit shapes-a shapes/X
commit -m text -a me -c 'ENV A=1' shapes-b shapes/made
inspect -f '{{.Config.Env}} {{.Comment}} {{.Author}}' shapes/made
commit -c 'NOSUCH x' shapes-b
cp shapes-nosuch:/etc {scratch}
cp shapes-a:/nosuch {scratch}
cp {scratch}/nosuch shapes-a:/
cp shapes-a:/etc shapes-b:/
cp {scratch} {scratch}
cp shapes-a:/etc/passwd {scratch}/passwd
cp {scratch}/passwd shapes-a:/nosuch/dir/
keys:inspect shapes-a
keys:inspect shapes-b
keys:inspect -s shapes-b
inspect -f '{{json .Config}}' shapes-b
inspect -f '{{.Name}} {{.Path}} {{.Args}} {{.State.Status}} {{.State.Running}}' shapes-a shapes-b
inspect -f '{{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Type}}' shapes-a
inspect -f '{{.Nosuch}}' shapes-a
inspect -f '{{.State.Nosuch}}' shapes-a
inspect shapes-nosuch
container inspect shapes-nosuch
container inspect -f '{{.Name}}' shapes-a shapes-nosuch
events --since 1m --until 0s --filter nosuch=1
events --format '{{.Nosuch}}' --since 1m --until 0s --filter container=shapes-b
stop -t 0 shapes-a
logs shapes-a
exec shapes-a true
top shapes-a
start shapes-nosuch
container prune -f --filter label=shapes-nosuch
container prune --filter nosuch=1 -f
rm shapes-a shapes-b
"""


def all_cases(section):
    for name, text in (("run", RUN), ("ps", LISTS), ("life", LIFE), ("look", LOOK)):
        yield name, section(text.replace("NEW", MAKE)), KNOWN


# What differs on purpose: docs/compat.md says why.
KNOWN = {
    "load -i {archive}",
    # null in a template
    "ps -a --filter label=shapes --format '{{.Label \"one\"}}|{{.Size}}|{{.Platform}}'",
    # what could not be executed is told where errors are told, and not in the output of what was
    "exec shapes-a nosuch", "exec shapes-a /etc/passwd", "exec -w /nosuch shapes-a pwd",
    # Docker knows no filter of events that is wrong, and has a status of its own for formats
    "events --since 1m --until 0s --filter nosuch=1",
    "events --format '{{.Nosuch}}' --since 1m --until 0s --filter container=shapes-b",
    # errors in other words, or where Docker has none
    "port shapes-a x",
    "commit -c 'NOSUCH x' shapes-b", "cp {scratch}/passwd shapes-a:/nosuch/dir/",
}
