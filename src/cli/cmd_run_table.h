/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run_table - the options of `run` and, without those in @ALONE, of
 * `create`; sorted.
 */
#pragma once

#define RUN_TABLE(ALONE)                                                                       \
	RUN(0, "add-host", LIST, hosts, "Add a custom host-to-IP mapping (host:ip)"),          \
		RUN(0, "annotation", LIST, life.annotations,                                   \
		    "Add an annotation to the container (passed through to the OCI runtime)",  \
		    .type = "map"),                                                            \
		RUN('a', "attach", LIST, attach, "Attach to STDIN, STDOUT or STDERR"),         \
		RUN(0, "blkio-weight", UINT, limits.blkio_weight,                              \
		    "Block IO (relative weight), between 10 and 1000, or 0 to disable "        \
		    "(default 0)",                                                             \
		    .type = "uint16"),                                                         \
		RUN(0, "blkio-weight-device", LIST, limits.blkio[BLKIO_WEIGHT],                \
		    "Block IO weight (relative device weight)"),                               \
		RUN(0, "cap-add", LIST, cap_add, "Add Linux capabilities"),                    \
		RUN(0, "cap-drop", LIST, cap_drop, "Drop Linux capabilities"),                 \
		RUN(0, "cgroup-parent", STRING, life.cgroup_parent,                            \
		    "Optional parent cgroup for the container"),                               \
		RUN(0, "cgroupns", STRING, life.cgroupns,                                      \
		    "Cgroup namespace to use (host|private)"),                                 \
		RUN(0, "cidfile", STRING, cidfile, "Write the container ID to the file"),      \
		RUN(0, "cpu-period", INT, limits.cpu_period,                                   \
		    "Limit CPU CFS (Completely Fair Scheduler) period"),                       \
		RUN(0, "cpu-quota", INT, limits.cpu_quota,                                     \
		    "Limit CPU CFS (Completely Fair Scheduler) quota"),                        \
		RUN(0, "cpu-rt-period", INT, limits.cpu_rt_period,                             \
		    "Limit CPU real-time period in microseconds"),                             \
		RUN(0, "cpu-rt-runtime", INT, limits.cpu_rt_runtime,                           \
		    "Limit CPU real-time runtime in microseconds"),                            \
		RUN('c', "cpu-shares", INT, limits.cpu_shares,                                 \
		    "CPU shares (relative weight)"),                                           \
		RUN(0, "cpus", DECIMAL, limits.cpus, "Number of CPUs"),                        \
		RUN(0, "cpuset-cpus", STRING, limits.cpuset_cpus,                              \
		    "CPUs in which to allow execution (0-3, 0,1)"),                            \
		RUN(0, "cpuset-mems", STRING, limits.cpuset_mems,                              \
		    "MEMs in which to allow execution (0-3, 0,1)"),                            \
		ALONE('d', "detach", BOOL, detach,                                             \
		      "Run container in background and print container ID")                    \
			ALONE(0, "detach-keys", STRING, detach_keys,                           \
			      "Override the key sequence for detaching a container")           \
				RUN(0, "device", LIST, life.devices,                           \
				    "Add a host device to the container"),                     \
		RUN(0, "device-cgroup-rule", LIST, life.device_rules,                          \
		    "Add a rule to the cgroup allowed devices list"),                          \
		RUN(0, "device-read-bps", LIST, limits.blkio[BLKIO_READ_BPS],                  \
		    "Limit read rate (bytes per second) from a device"),                       \
		RUN(0, "device-read-iops", LIST, limits.blkio[BLKIO_READ_IOPS],                \
		    "Limit read rate (IO per second) from a device"),                          \
		RUN(0, "device-write-bps", LIST, limits.blkio[BLKIO_WRITE_BPS],                \
		    "Limit write rate (bytes per second) to a device"),                        \
		RUN(0, "device-write-iops", LIST, limits.blkio[BLKIO_WRITE_IOPS],              \
		    "Limit write rate (IO per second) to a device"),                           \
		RUN(0, "disable-content-trust", BOOL, ignored,                                 \
		    "Skip image verification: there is none of signatures",                    \
		    .fallback = "true"),                                                       \
		RUN(0, "dns", LIST, dns, "Set custom DNS servers"),                            \
		RUN(0, "dns-option", LIST, dns_options, "Set DNS options"),                    \
		RUN(0, "dns-search", LIST, dns_search, "Set custom DNS search domains"),       \
		RUN(0, "domainname", STRING, domainname, "Container NIS domain name"),         \
		RUN(0, "entrypoint", STRING, entrypoint,                                       \
		    "Overwrite the default ENTRYPOINT of the image"),                          \
		RUN('e', "env", LIST, env, "Set environment variables"),                       \
		RUN(0, "env-file", LIST, env_files,                                            \
		    "Read in a file of environment variables"),                                \
		RUN(0, "expose", LIST, life.expose, "Expose a port or a range of ports"),      \
		RUN(0, "gpus", LIST, life.gpus,                                                \
		    "GPU devices to add to the container ('all' to pass all GPUs)",            \
		    .type = "gpu-request"),                                                    \
		RUN(0, "group-add", LIST, groups, "Add additional groups to join"),            \
		RUN(0, "health-cmd", STRING, life.health_cmd,                                  \
		    "Command to run to check health"),                                         \
		RUN(0, "health-interval", DURATION, life.health_interval,                      \
		    "Time between running the check (ms|s|m|h) (default 0s)"),                 \
		RUN(0, "health-retries", INT, life.health_retries,                             \
		    "Consecutive failures needed to report unhealthy"),                        \
		RUN(0, "health-start-interval", DURATION, life.health_start_interval,          \
		    "Time between running the check during the start period (ms|s|m|h) "       \
		    "(default 0s)"),                                                           \
		RUN(0, "health-start-period", DURATION, life.health_start_period,              \
		    "Start period for the container to initialize before starting "            \
		    "health-retries "                                                          \
		    "countdown (ms|s|m|h) (default 0s)"),                                      \
		RUN(0, "health-timeout", DURATION, life.health_timeout,                        \
		    "Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),         \
		RUN('h', "hostname", STRING, hostname, "Container host name"),                 \
		RUN(0, "init", BOOL, init,                                                     \
		    "Run an init inside the container that forwards signals and reaps "        \
		    "processes"),                                                              \
		RUN('i', "interactive", BOOL, interactive,                                     \
		    "Keep STDIN open even if not attached"),                                   \
		RUN(0, "ip", STRING, ip, "IPv4 address (e.g., 172.30.100.104)"),               \
		RUN(0, "ip6", STRING, ip6, "IPv6 address (e.g., 2001:db8::33)"),               \
		RUN(0, "ipc", STRING, life.ipc, "IPC mode to use"),                            \
		RUN(0, "isolation", STRING, isolation, "Container isolation technology"),      \
		RUN(0, "kernel-memory", BYTES, kernel_memory,                                  \
		    "Kernel memory limit: not in today's kernels, ignored"),                   \
		RUN('l', "label", LIST, labels, "Set meta data on a container"),               \
		RUN(0, "label-file", LIST, life.label_files,                                   \
		    "Read in a line delimited file of labels"),                                \
		RUN(0, "link", LIST, links, "Add link to another container"),                  \
		RUN(0, "link-local-ip", LIST, link_local,                                      \
		    "Container IPv4/IPv6 link-local addresses"),                               \
		RUN(0, "log-driver", STRING, life.log_driver,                                  \
		    "Logging driver for the container"),                                       \
		RUN(0, "log-opt", LIST, life.log_options, "Log driver options"),               \
		RUN(0, "mac-address", STRING, mac,                                             \
		    "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),                        \
		RUN('m', "memory", BYTES, limits.memory, "Memory limit"),                      \
		RUN(0, "memory-reservation", BYTES, limits.memory_reservation,                 \
		    "Memory soft limit"),                                                      \
		RUN(0, "memory-swap", BYTES, limits.memory_swap,                               \
		    "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),    \
		RUN(0, "memory-swappiness", INT, limits.swappiness,                            \
		    "Tune container memory swappiness (0 to 100)", .fallback = "-1"),          \
		RUN(0, "mount", LIST, mounts, "Attach a filesystem mount to the container",    \
		    .type = "mount"),                                                          \
		RUN(0, "name", STRING, name, "Assign a name to the container"),                \
		RUN(0, "net", LIST, networks, "Connect a container to a network",              \
		    .hidden = true),                                                           \
		RUN(0, "network", LIST, networks,                                              \
		    "Connect a container to a network, or to none, host, container:NAME",      \
		    .type = "network"),                                                        \
		RUN(0, "network-alias", LIST, aliases,                                         \
		    "Add network-scoped alias for the container"),                             \
		RUN(0, "no-healthcheck", BOOL, life.no_healthcheck,                            \
		    "Disable any container-specified HEALTHCHECK"),                            \
		RUN(0, "oom-kill-disable", BOOL, limits.oom_kill_disable,                      \
		    "Disable OOM Killer"),                                                     \
		RUN(0, "oom-score-adj", INT, limits.oom_score_adj,                             \
		    "Tune host's OOM preferences (-1000 to 1000)"),                            \
		RUN(0, "pid", STRING, life.pid, "PID namespace to use"),                       \
		RUN(0, "pids-limit", INT, limits.pids_limit,                                   \
		    "Tune container pids limit (set -1 for unlimited)"),                       \
		RUN(0, "platform", STRING, platform, "Platform of the image: this machine's"), \
		RUN(0, "privileged", BOOL, privileged,                                         \
		    "Give extended privileges to this container"),                             \
		RUN('p', "publish", LIST, publish,                                             \
		    "Publish a container's port(s) to the host"),                              \
		RUN('P', "publish-all", BOOL, publish_all,                                     \
		    "Publish all exposed ports to random ports"),                              \
		RUN(0, "pull", STRING, pull,                                                   \
		    "Pull image before running (\"always\", \"missing\", \"never\")",          \
		    .fallback = "missing"),                                                    \
		RUN('q', "quiet", BOOL, quiet, "Suppress the pull output"),                    \
		RUN(0, "read-only", BOOL, read_only,                                           \
		    "Mount the container's root filesystem as read only"),                     \
		RUN(0, "restart", STRING, life.restart,                                        \
		    "Restart policy to apply when a container exits", .fallback = "no"),       \
		RUN(0, "rm", BOOL, remove,                                                     \
		    "Automatically remove the container when it exits"),                       \
		RUN(0, "runtime", STRING, runtime,                                             \
		    "OCI runtime to use for this container (default: the built-in one)"),      \
		RUN(0, "security-opt", LIST, security, "Security Options"),                    \
		RUN(0, "shm-size", BYTES, limits.shm_size, "Size of /dev/shm"),                \
		ALONE(0, "sig-proxy", BOOL, sig_proxy,                                         \
		      "Proxy received signals to the process", .fallback = "true")             \
			RUN(0, "stop-signal", STRING, stop_signal,                             \
			    "Signal to stop the container"),                                   \
		RUN(0, "stop-timeout", INT, life.stop_timeout,                                 \
		    "Timeout (in seconds) to stop a container"),                               \
		RUN(0, "storage-opt", LIST, storage,                                           \
		    "Storage driver options for the container"),                               \
		RUN(0, "sysctl", LIST, sysctls, "Sysctl options", .type = "map"),              \
		RUN(0, "tmpfs", LIST, tmpfs, "Mount a tmpfs directory"),                       \
		RUN('t', "tty", BOOL, tty, "Allocate a pseudo-TTY"),                           \
		RUN(0, "ulimit", LIST, ulimits, "Ulimit options", .type = "ulimit"),           \
		RUN('u', "user", STRING, user,                                                 \
		    "Username or UID (format: <name|uid>[:<group|gid>])"),                     \
		RUN(0, "userns", STRING, life.userns, "User namespace to use"),                \
		RUN(0, "uts", STRING, life.uts, "UTS namespace to use"),                       \
		RUN('v', "volume", LIST, volumes, "Bind mount a volume"),                      \
		RUN(0, "volume-driver", STRING, life.volume_driver,                            \
		    "Optional volume driver for the container"),                               \
		RUN(0, "volumes-from", LIST, volumes_from,                                     \
		    "Mount volumes from the specified container(s)"),                          \
		RUN('w', "workdir", STRING, workdir,                                           \
		    "Working directory inside the container"),
