/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/* The programs that note which relation's file a session turns to. */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

struct assembler;

void build_file_block(struct assembler *a);
void build_file_blocks4(struct assembler *a);
void build_file_blocks5(struct assembler *a);
void build_file_aio(struct assembler *a);
void build_file_whole(struct assembler *a);

#endif
