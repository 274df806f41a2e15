/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned - libc functions that this program does not use, as compile errors.
 * The last include of each .c file.
 */
#pragma once

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#undef atoi
#undef atol
#undef sscanf
#undef strtok
#undef alloca
#undef mktemp
#undef tmpnam
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets atoi atol atoll sscanf
#pragma GCC poison strtok alloca mktemp tmpnam tempnam realpath chdir getwd popen system
