#include "verify.h"

#include "findings.h"
#include "redis_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looks, and repairs between them: workers may come in between, and what was mended may show more. */
enum { LOOKS = 32, REPAIRS_A_CALL = 5000, LEADING = 6, ARGUMENTS = 4, EXIT_WRONG = 1 };

extern const char verify_repair_lua[];

struct verify_options {
    bool repairs, lower;
    const char *lost; /* the campaign that has lost counts; NULL: nobody says */
};

struct view {
    struct look look;
    struct unlisted unlisted;
    struct findings findings;
};

static void view_clear(struct view *view)
{
    findings_clear(&view->findings);
    unlisted_clear(&view->unlisted);
    look_clear(&view->look);
}

/* The operator says which campaign has lost counts. */
static bool mark_lost(struct look *look, const char *lost, struct error *error)
{
    for (size_t row = 1; row < look->sums.rows; row++) {
        if (strcmp(look->campaigns[row].name, lost) != 0)
            continue;
        look->sums.list[row].lost = true;
        return true;
    }
    error_set(error, ERROR_USAGE, "verify: there is no campaign %.100s", lost);
    return false;
}

static bool view_read(struct view *view, struct redis_primary *session, const char *prefix, const char *lost,
                      struct error *error)
{
    *view = (struct view){0};
    if (!look_read(&view->look, session, prefix, error) ||
        (lost && view->look.keys.wrong.count == 0 && !mark_lost(&view->look, lost, error)) ||
        (view->look.keys.wrong.count == 0 && !unlisted_read(&view->unlisted, &view->look, session, prefix, error)))
        return false;
    findings_make(&view->findings, &view->look, &view->unlisted, prefix);
    if (!view->findings.complete)
        error_set(error, ERROR_NO_MEMORY, "no memory for what is wrong");
    return view->findings.complete;
}

/* --- Repairing ------------------------------------------------------------------------------------------------------ */

/* One call with the next repairs. *done is false if they are no longer right. */
static bool repair_some(struct view *view, size_t *next, bool lower, bool *done, struct redis_primary *session,
                        const char *prefix, struct error *error)
{
    static const char doing[] = "repairing";
    const struct findings *findings = &view->findings;
    const char *command[LEADING + ARGUMENTS * REPAIRS_A_CALL] = {
        "EVAL", verify_repair_lua, "0", prefix, view->look.epoch, view->look.damaged_at};
    int count = LEADING;
    struct redis_answer answer;

    for (; *next < findings->repair_count && count < LEADING + ARGUMENTS * REPAIRS_A_CALL; ++*next) {
        const struct repair *repair = &findings->repairs[*next];

        if (repair->lowers && !lower)
            continue;
        command[count++] = repair->how;
        command[count++] = repair->key;
        command[count++] = repair->field;
        command[count++] = repair->value;
    }
    *done = true;
    if (count == LEADING)
        return true;
    if (!redis_primary_try(session, doing, count, command, NULL, &answer, error))
        return false;
    *done = answer.kind != REDIS_ANSWER_ERROR || strncmp(answer.text, "EPOCH", 5) != 0;
    if (!*done)
        return true;
    if (!redis_primary_judge(session, doing, &answer, error))
        return false;
    snprintf(view->look.epoch, EPOCH_TEXT, "%s", answer.text);
    return true;
}

static bool repair(struct view *view, bool lower, struct redis_primary *session, const char *prefix,
                   struct error *error)
{
    size_t next = 0;
    bool done = true;

    while (done && next < view->findings.repair_count)
        if (!repair_some(view, &next, lower, &done, session, prefix, error))
            return false;
    return true;
}

static bool can_repair(const struct findings *findings, bool lower)
{
    for (size_t i = 0; i < findings->repair_count; i++)
        if (lower || !findings->repairs[i].lowers)
            return true;
    return false;
}

/* --- Telling -------------------------------------------------------------------------------------------------------- */

static void print_all(const struct findings *findings, const char *before)
{
    for (size_t i = 0; i < findings->count; i++)
        (void)printf("%s%s\n", before, findings->list[i].line);
}

static void print_suspects(const struct look *look)
{
    size_t told = 0;

    (void)fputs("left: counts are lost, and which campaign had them cannot be known", stdout);
    for (size_t row = 1; row < look->sums.rows; row++)
        if (look->sums.list[row].suspect)
            (void)printf("%s %s", told++ > 0 ? "," : ":", look->campaigns[row].name);
    (void)puts(". If you know which it was, name it: verify --repair --lost NAME. Else restore a backup of it, or accept the loss "
               "with --lower");
}

static void print_end(size_t wrong, const struct view *last, bool repairs, bool repaired, const char *prefix)
{
    const size_t left = last->findings.count;

    if (repaired && left > 0)
        print_all(&last->findings, "left: ");
    if (last->look.sums.ambiguous)
        print_suspects(&last->look);
    if (wrong == 0 && left == 0 && last->look.in_use == 0)
        (void)printf("nothing to compare: there are no campaigns under %s (was Redis emptied, or is REDIS_PREFIX another?)\n",
                     prefix);
    else if (wrong == 0 && left == 0)
        (void)printf(last->look.in_use == 1 ? "the one campaign adds up\n" : "all %zu campaigns add up\n", last->look.in_use);
    else
        (void)printf("%s%zu wrong, %zu mended, %zu left\n",
                     !repairs && can_repair(&last->findings, false) ? "dropctl verify --repair restores what other keys tell: " : "",
                     wrong, wrong > left ? wrong - left : 0, left);
}

/* --- The subcommand ------------------------------------------------------------------------------------------------- */

/* *left is how much is wrong at the end. */
static bool verify(struct redis_primary *session, const char *prefix, const struct verify_options *options, size_t *left,
                   struct error *error)
{
    const bool repairs = options->repairs, lower = options->lower;
    const char *lost = options->lost;
    struct view view;
    size_t wrong = 0;
    bool ok = view_read(&view, session, prefix, lost, error), repaired = false;

    if (ok) {
        wrong = view.findings.count;
        print_all(&view.findings, "");
    }
    for (int looks = 1; ok && repairs && looks < LOOKS && can_repair(&view.findings, lower); looks++) {
        repaired = true;
        ok = repair(&view, lower, session, prefix, error);
        view_clear(&view);
        ok = ok && view_read(&view, session, prefix, lost, error);
    }
    if (ok) {
        *left = view.findings.count;
        print_end(wrong, &view, repairs, repaired, prefix);
    }
    view_clear(&view);
    return ok;
}

static bool read_arguments(int argc, char **argv, struct verify_options *out, struct error *error)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--repair") == 0) {
            out->repairs = true;
        } else if (strcmp(argv[i], "--lower") == 0) {
            out->lower = true;
        } else if (strcmp(argv[i], "--lost") == 0 && i + 1 < argc) {
            out->lost = argv[++i];
        } else {
            error_set(error, ERROR_USAGE, "verify: \"%.100s\" is unknown: it takes --repair, --lost CAMPAIGN and --lower",
                      argv[i]);
            return false;
        }
    }
    if ((out->lower || out->lost) && !out->repairs)
        error_set(error, ERROR_USAGE, "verify: %s says how to repair: give --repair too", out->lower ? "--lower" : "--lost");
    return out->repairs || !(out->lower || out->lost);
}

int verify_run(const struct tool_config *config, int argc, char **argv)
{
    struct error error = {.code = ERROR_NONE};
    struct redis_primary *session = NULL;
    struct verify_options options = {0};
    size_t left = 0;

    if (read_arguments(argc, argv, &options, &error))
        session = redis_access_open(config, &error);
    if (session && verify(session, config->redis_prefix, &options, &left, &error) && fflush(stdout) != 0)
        error_set(&error, ERROR_INTERNAL, "the output cannot be written");
    redis_primary_free(session);
    if (error.code != ERROR_NONE) {
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
        return error_exit_status(error.code);
    }
    return left > 0 ? EXIT_WRONG : 0;
}
