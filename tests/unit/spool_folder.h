/* A temporary folder and the spool in it, for the tests of the spool's files. */
#ifndef DROPBRIDGE_TEST_SPOOL_FOLDER_H
#define DROPBRIDGE_TEST_SPOOL_FOLDER_H

#include <stdbool.h>

extern char spool_folder[64];
extern char spool_path[96]; /* no file until a test makes one */

/* As cmocka's setup and teardown: 0, or -1. With the disk of spool_disk.h. */
int spool_folder_make(void **state);
int spool_folder_remove(void **state);

/* Whether a file of that name is there. */
bool spool_file_exists(const char *name);
/* The log's name; valid until the next call. */
const char *spool_log_path(void);

/* What people do to files in use. */
void spool_delete_log(void);
void spool_delete_file(void);
void spool_delete_both(void);
void spool_move_file(void);
void spool_move_file_back(void); /* over what is there */
void spool_move_log(void);
void spool_move_folder(void);
void spool_move_folder_back(void);
void spool_move_log_back(void);

/* How many files that were in the folder and are deleted or have another name now this process still has open. */
int spool_nameless_open(void);

#endif
