/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a libcurl.a of a distribution refers to and we have no use for: SSH, RTMP, LDAP and
 * Kerberos.  Linked with these names it needs none of their libraries, which are two thirds of
 * the time that the shared libcurl takes to start, and code in a process that meets strangers
 * (docs/adr/0020-the-start-of-a-transfer.md).  Only http and https are let through
 * (CURLOPT_PROTOCOLS_STR), only Basic and tokens are spoken: nobody comes here, and whoever
 * does ends the process.
 */
#include <stdlib.h>

const void *GSS_C_NT_HOSTBASED_SERVICE;

/* curl_global_init(), curl_global_cleanup() and curl_version_info() ask for these. */
int libssh2_init(int flags);
void libssh2_exit(void);
const char *libssh2_version(int required);

int libssh2_init(int flags)
{
	return flags;
}

void libssh2_exit(void)
{
}

const char *libssh2_version(int required)
{
	(void)required;
	return NULL;
}

#define NEVER(name)      \
	void name(void); \
	void name(void)  \
	{                \
		abort(); \
	}

/* clang-format off */
NEVER(gss_delete_sec_context)
NEVER(gss_display_name)
NEVER(gss_display_status)
NEVER(gss_import_name)
NEVER(gss_init_sec_context)
NEVER(gss_inquire_context)
NEVER(gss_release_buffer)
NEVER(gss_release_name)
NEVER(gss_unwrap)
NEVER(gss_wrap)

NEVER(ldap_abandon_ext)
NEVER(ldap_err2string)
NEVER(ldap_free_urldesc)
NEVER(ldap_get_attribute_ber)
NEVER(ldap_get_dn_ber)
NEVER(ldap_get_option)
NEVER(ldap_init_fd)
NEVER(ldap_memfree)
NEVER(ldap_msgfree)
NEVER(ldap_msgtype)
NEVER(ldap_parse_result)
NEVER(ldap_parse_sasl_bind_result)
NEVER(ldap_pvt_url_scheme2proto)
NEVER(ldap_result)
NEVER(ldap_sasl_bind)
NEVER(ldap_search_ext)
NEVER(ldap_set_option)
NEVER(ldap_start_tls)
NEVER(ldap_unbind_ext)
NEVER(ldap_url_parse)

NEVER(ber_bvfree)
NEVER(ber_free)
NEVER(ber_memfree)
NEVER(ber_sockbuf_add_io)

NEVER(RTMP_Alloc)
NEVER(RTMP_Close)
NEVER(RTMP_Connect1)
NEVER(RTMP_ConnectStream)
NEVER(RTMP_Free)
NEVER(RTMP_Init)
NEVER(RTMP_Read)
NEVER(RTMP_SetBufferMS)
NEVER(RTMP_SetupURL)
NEVER(RTMP_Write)

NEVER(libssh2_agent_connect)
NEVER(libssh2_agent_disconnect)
NEVER(libssh2_agent_free)
NEVER(libssh2_agent_get_identity)
NEVER(libssh2_agent_init)
NEVER(libssh2_agent_list_identities)
NEVER(libssh2_agent_userauth)
NEVER(libssh2_channel_free)
NEVER(libssh2_channel_read_ex)
NEVER(libssh2_channel_send_eof)
NEVER(libssh2_channel_wait_closed)
NEVER(libssh2_channel_wait_eof)
NEVER(libssh2_channel_write_ex)
NEVER(libssh2_hostkey_hash)
NEVER(libssh2_knownhost_add)
NEVER(libssh2_knownhost_checkp)
NEVER(libssh2_knownhost_del)
NEVER(libssh2_knownhost_free)
NEVER(libssh2_knownhost_get)
NEVER(libssh2_knownhost_init)
NEVER(libssh2_knownhost_readfile)
NEVER(libssh2_knownhost_writefile)
NEVER(libssh2_scp_recv2)
NEVER(libssh2_scp_send64)
NEVER(libssh2_session_abstract)
NEVER(libssh2_session_block_directions)
NEVER(libssh2_session_callback_set)
NEVER(libssh2_session_disconnect_ex)
NEVER(libssh2_session_flag)
NEVER(libssh2_session_free)
NEVER(libssh2_session_handshake)
NEVER(libssh2_session_hostkey)
NEVER(libssh2_session_init_ex)
NEVER(libssh2_session_last_errno)
NEVER(libssh2_session_last_error)
NEVER(libssh2_session_method_pref)
NEVER(libssh2_session_set_blocking)
NEVER(libssh2_sftp_close_handle)
NEVER(libssh2_sftp_init)
NEVER(libssh2_sftp_last_error)
NEVER(libssh2_sftp_mkdir_ex)
NEVER(libssh2_sftp_open_ex)
NEVER(libssh2_sftp_read)
NEVER(libssh2_sftp_readdir_ex)
NEVER(libssh2_sftp_rename_ex)
NEVER(libssh2_sftp_rmdir_ex)
NEVER(libssh2_sftp_seek64)
NEVER(libssh2_sftp_shutdown)
NEVER(libssh2_sftp_stat_ex)
NEVER(libssh2_sftp_statvfs)
NEVER(libssh2_sftp_symlink_ex)
NEVER(libssh2_sftp_unlink_ex)
NEVER(libssh2_sftp_write)
NEVER(libssh2_userauth_authenticated)
NEVER(libssh2_userauth_keyboard_interactive_ex)
NEVER(libssh2_userauth_list)
NEVER(libssh2_userauth_password_ex)
NEVER(libssh2_userauth_publickey_fromfile_ex)
/* clang-format on */
