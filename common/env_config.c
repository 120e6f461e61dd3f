#include "env_config.h"

#include "config_file.h"
#include "setting_names.h"
#include "setting_value.h"

#include <stdio.h>
#include <string.h>

/* Where a row's value was given; NULL: not given. */
struct given {
    const char *value;
    const char *file;  /* NAME_FILE's value */
    const char *where; /* for messages */
};

/* The value of `name` + `suffix` in the environment; NULL if not there or empty. */
static const char *environment_find(char *const *environment, const char *name, const char *suffix)
{
    const size_t name_len = strlen(name);
    const size_t suffix_len = strlen(suffix);
    for (; environment && *environment; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, name, name_len) == 0 && strncmp(entry + name_len, suffix, suffix_len) == 0 &&
            entry[name_len + suffix_len] == '=' && entry[name_len + suffix_len + 1] != '\0')
            return entry + name_len + suffix_len + 1;
    }
    return NULL;
}

static struct given find_given(const struct setting *row, const struct config_file *config, char *const *environment)
{
    struct given given = {.where = "the environment"};
    given.value = environment_find(environment, row->name, "");
    given.file = row->secret ? environment_find(environment, row->name, SETTING_FILE_SUFFIX) : NULL;
    if (given.value || given.file)
        return given;
    given.where = "the --config file";
    given.value = config_file_value(config, row->name, "");
    given.file = row->secret ? config_file_value(config, row->name, SETTING_FILE_SUFFIX) : NULL;
    return given;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_quoted(const struct secret *secret)
{
    const uint8_t first = secret->data[0];

    return secret->len > 1 && (first == '"' || first == '\'') && secret->data[secret->len - 1] == first;
}

/* Whether a # stands behind white space; and whether there is any. */
static bool has_comment(const struct secret *secret, bool *blanks)
{
    *blanks = false;
    for (size_t i = 0; i < secret->len; i++) {
        if (secret->data[i] == '#' && i > 0 && is_blank(secret->data[i - 1]))
            return true;
        *blanks |= is_blank(secret->data[i]);
    }
    return false;
}

static bool has_byte_order_mark(const struct secret *secret)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

    return secret->len >= sizeof mark && memcmp(secret->data, mark, sizeof mark) == 0;
}

/* What is taken as a part of a secret, since they are taken literally, and is more often a mistake of an editor, or
   the way of a shell or of Compose's .env, than meant. A line of a file of secrets that is meant as a comment is one
   that can be guessed. NULL: nothing. */
static const char *doubt_of(const struct secret *secret)
{
    bool blanks;

    if (is_blank(secret->data[0]) || is_blank(secret->data[secret->len - 1]))
        return "begins or ends with white space";
    if (has_byte_order_mark(secret))
        return "begins with a byte order mark";
    if (is_quoted(secret))
        return "stands between quotation marks";
    if (has_comment(secret, &blanks))
        return "has a # behind white space, which begins no comment here";
    return secret->data[0] == '#' && blanks ? "begins with a # and has white space, but is no comment here" : NULL;
}

static void warn_of_doubts(const struct setting *row, const struct secrets *secrets, struct config_report *report)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const char *doubt = doubt_of(&secrets->items[i]);

        if (doubt)
            config_warning(report, "%s: secret %zu %s: that is taken as a part of it", row->name, i + 1, doubt);
    }
}

static void load_row(const struct setting *row, const struct config_file *config, char *const *environment, void *out,
                     struct config_report *report)
{
    struct error error;
    const struct given given = find_given(row, config, environment);

    if (!given.value && !given.file) {
        setting_value_set_default(row, out, report);
        return;
    }
    if (given.value && given.file) {
        config_problem(report, "%s and %s%s are both given in %s: give one of them", row->name, row->name,
                       SETTING_FILE_SUFFIX, given.where);
        config_mark_failed(report, row->name);
        setting_value_set_default(row, out, report);
        return;
    }
    const bool ok = given.file ? setting_value_parse_file(row, given.file, out, &error)
                               : setting_value_parse(row, given.value, out, &error);
    if (!ok) {
        const char *suffix = given.file ? "_FILE:" : "";

        if (error.code == ERROR_NOT_YET)
            config_passing_problem(report, "%s%s %s", row->name, suffix, error.text);
        else
            config_problem(report, "%s%s %s", row->name, suffix, error.text);
        config_mark_failed(report, row->name);
        setting_value_set_default(row, out, report);
    } else if (row->type == SETTING_SECRETS) {
        warn_of_doubts(row, setting_value_slot(row, out), report);
    }
}

static void warn_of_typos(const struct setting *rows, size_t count, char *const *environment,
                          struct config_report *report)
{
    for (; environment && *environment; environment++) {
        char name[SETTING_NAME_SIZE] = "";
        char nearest[SETTING_NAME_SIZE] = "";
        const size_t len = strcspn(*environment, "=");
        if (len < SETTING_TYPO_SHORTEST || len >= sizeof name)
            continue;
        memcpy(name, *environment, len);
        if (!setting_name_known(rows, count, name) &&
            setting_name_nearest(rows, count, name, nearest) <= SETTING_TYPO_DISTANCE)
            config_warning(report, "%s in the environment is no setting; is %s meant?", name, nearest);
    }
}

void config_load_again(const struct setting *rows, size_t count, const char *config_file, char *const *environment,
                       void *out, struct config_report *report)
{
    struct config_file config;

    config_file_init(&config);
    if (config_file)
        config_file_read(&config, config_file, rows, count, report);
    if (report->problems.len > 0)
        config_mark_failed(report, CONFIG_FILE_ROW);
    for (size_t i = 0; i < count; i++)
        load_row(&rows[i], &config, environment, out, report);
    config_file_clear(&config);
}

char *config_value_file(const struct setting *row, const char *config_file, char *const *environment)
{
    struct config_file config;
    struct config_report ignored;
    struct given given;
    char *path;

    config_report_init(&ignored);
    config_file_init(&config);
    if (config_file)
        config_file_read(&config, config_file, row, 1, &ignored);
    given = find_given(row, &config, environment);
    path = given.file ? strdup(given.file) : NULL;
    config_file_clear(&config);
    config_report_clear(&ignored);
    return path;
}

bool config_load(const struct setting *rows, size_t count, const char *config_file, char *const *environment, void *out,
                 struct config_report *report)
{
    struct config_file config;
    const size_t problems_before = report->problems.len;

    config_file_init(&config);
    if (config_file)
        config_file_read(&config, config_file, rows, count, report);
    for (size_t i = 0; i < count; i++)
        load_row(&rows[i], &config, environment, out, report);
    warn_of_typos(rows, count, environment, report);
    config_file_clear(&config);
    return report->problems.len == problems_before && !report->problems.overflow;
}

enum error_code config_verdict(const struct config_report *report, bool good, const struct config_arguments *arguments)
{
    if (arguments->health)
        return config_row_failed(report, CONFIG_FILE_ROW) || config_row_failed(report, "ADMIN_LISTEN") ? ERROR_CONFIG
                                                                                                       : ERROR_NONE;
    if (good)
        return ERROR_NONE;
    return report->lasting || arguments->check_config ? ERROR_CONFIG : ERROR_NOT_YET;
}

void config_clear(const struct setting *rows, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++)
        setting_value_clear(&rows[i], out);
}

void config_print_help(const struct setting *rows, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *row = &rows[i];
        (void)buf_printf(out, "  %-26s %s", row->name, row->meaning ? row->meaning : "");
        if (row->secret)
            (void)buf_printf(out, "; or in the file named by %s%s", row->name, SETTING_FILE_SUFFIX);
        if (row->default_text && *row->default_text != '\0')
            (void)buf_printf(out, " [%s]", row->default_text);
        (void)buf_append_text(out, "\n");
    }
}

bool config_arguments_read(int argc, char **argv, struct config_arguments *out, struct error *error)
{
    static const char config_equals[] = "--config=";
    struct config_arguments arguments = {0};

    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "--help") == 0) {
            arguments.help = true;
        } else if (strcmp(argument, "--version") == 0) {
            arguments.version = true;
        } else if (strcmp(argument, "--check-config") == 0) {
            arguments.check_config = true;
        } else if (strcmp(argument, "--health") == 0) {
            arguments.health = true;
        } else if (strcmp(argument, "--config") == 0 && i + 1 < argc) {
            arguments.config_file = argv[++i];
        } else if (strncmp(argument, config_equals, sizeof config_equals - 1) == 0) {
            arguments.config_file = argument + sizeof config_equals - 1;
        } else if (strcmp(argument, "--config") == 0) {
            error_set(error, ERROR_USAGE, "--config needs the name of a file");
            return false;
        } else {
            error_set(error, ERROR_USAGE, "unknown argument \"%.100s\"; --help lists what there is", argument);
            return false;
        }
    }
    *out = arguments;
    return true;
}
