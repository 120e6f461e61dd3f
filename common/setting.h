/* A setting as a row of a program's table (env_config.h). */
#ifndef DROPBRIDGE_SETTING_H
#define DROPBRIDGE_SETTING_H

#include "bytes.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_TEXT,    /* char *; freed by config_clear */
    SETTING_INTEGER, /* int64_t within min..max */
    SETTING_CHOICE,  /* int: index into `choices` (NULL-terminated) */
    SETTING_SECRETS, /* struct secrets: comma-separated in the environment, one a line in the _FILE */
    SETTING_LISTEN,  /* char *: host:port, the host an IPv4 address or a name of one (looked up), with an s behind the
                        port for TLS where the check allows */
};

/* Secret texts, in order; any bytes but newline (and, outside a _FILE, comma and control characters). */
struct secrets {
    size_t count;
    struct secret {
        uint8_t *data;
        size_t len;
    } * items;
};

struct setting {
    const char *name;
    size_t offset;              /* of the value in the program's configuration struct */
    const char *default_text;   /* NULL: empty; of an integer: min - 1, which nobody can give */
    int64_t min, max;           /* SETTING_INTEGER */
    const char *const *choices; /* SETTING_CHOICE */
    enum setting_type type;
    bool reread;         /* taken over while the program runs (reread.h) */
    bool secret;         /* never printed; NAME_FILE may name a file that holds the value */
    const char *meaning; /* one line for --help */
    /* A further check of a text: false with a sentence in *error if it cannot be used. May be NULL. */
    bool (*check)(const char *value, struct error *error);
    /* The same for each of SETTING_SECRETS. */
    bool (*check_secret)(struct bytes secret, struct error *error);
};

/* Behind the name of a row that is secret. */
#define SETTING_FILE_SUFFIX "_FILE"

#endif
