/* Errors: a code for the program, a sentence for people. Outcomes that are part of the work are not errors. */
#ifndef DROPBRIDGE_ERROR_H
#define DROPBRIDGE_ERROR_H

enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,       /* the command line; exit 64 */
    ERROR_CONFIG,      /* settings; exit 78 */
    ERROR_NOT_YET,     /* what a setting names is not there yet, or busy: a start later may succeed; exit 69 */
    ERROR_UNAVAILABLE, /* a service is away or busy: trying again may help */
    ERROR_REFUSED,     /* a service refused for good: trying again will not help; exit 69 */
    ERROR_NEWER,       /* a newer version wrote what is there: this program is to be upgraded; exit 69 */
    ERROR_NO_MEMORY,   /* exit 70 */
    ERROR_INTERNAL,    /* exit 70 */
};

enum { ERROR_TEXT = 512 };

struct error {
    enum error_code code;
    char text[ERROR_TEXT]; /* what happened, to what, what to do; no secret, no whole phone number, no newline */
};

/* Sets *error (NULL: does nothing). A text longer than ERROR_TEXT - 1 is cut. */
void error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The exit status that INTERFACE names for a code: 0, 64, 69, 70 or 78. UNAVAILABLE exits 69. 64 and 78 are for what
   only a person can mend; service managers start again after any other. */
int error_exit_status(enum error_code code);

#endif
