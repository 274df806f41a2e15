/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_server.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/confine.h"

#include "base/banned.h"

/* To wait, to receive, to send, and to read what is open; no name of a file anywhere. */
static const int allowed_calls[] = {
#ifdef SYS_poll /* newer machines have ppoll alone */
	SYS_poll,
#endif
	SYS_ppoll,	  SYS_recvfrom,	      SYS_sendto,    SYS_accept4,	SYS_socket,
	SYS_connect,	  SYS_close,	      SYS_read,	     SYS_lseek,		SYS_flock,
	SYS_shutdown,	  SYS_getsockopt,     SYS_getrandom, SYS_clock_gettime, SYS_mmap,
	SYS_munmap,	  SYS_mremap,	      SYS_brk,	     SYS_madvise,	SYS_futex,
	SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_exit,	     SYS_exit_group,
};

int server_confine(unsigned files, struct error *err)
{
	int r = confine_privileges(err);

#ifndef SANITIZED /* its shadow is terabytes of addresses */
	confine_limit(RLIMIT_AS, SERVER_MEMORY_BYTES);
#endif
	confine_limit(RLIMIT_CORE, 0);
	confine_limit(RLIMIT_NOFILE, files);
	confine_limit(RLIMIT_FSIZE, 0);
	if (r < 0 || (r = confine_capabilities(0, err)) < 0)
		return r;
	if (confine_calls(allowed_calls, ARRAY_SIZE(allowed_calls)) < 0 && errno != ENOSYS)
		return error_sys(err, "cannot confine a server");
	return 0;
}
